//! What the card can do at most: copies within its memory, and products on its tensor cores.
//!
//! Products are measured by a kernel of `wgmma` instructions alone, on operands in shared memory
//! that no load ever fills again, and only on cards that have the instruction.

use std::ffi::{CString, c_void};
use std::fmt::Write as _;

use super::card::Card;
use super::driver::driver;
use super::memory::{DeviceMemory, Event, Stream};
use crate::device::{DeviceError, Rates};

/// Bytes of one side of the measured copy; far beyond any cache.
const COPY_BYTES: u64 = 512 << 20;
/// Copies that are timed together.
const COPIES: usize = 20;
/// Compute capability that has `wgmma`.
const WGMMA: u32 = 90;
/// Products in a round of the kernel.
const PRODUCTS: usize = 8;
/// FLOPs of one product: m64n256k16.
const PRODUCT_FLOPS: f64 = 2.0 * 64.0 * 256.0 * 16.0;
/// Rounds of one launch; some milliseconds.
const ROUNDS: u32 = 2000;
/// Launches that are timed together: long enough for the clock to settle under load.
const LAUNCHES: usize = 40;
/// Blocks on a multiprocessor: one works while the other waits.
const BLOCKS: u32 = 2;

/// Two buffers to copy between.
pub(super) struct Copy {
    from: DeviceMemory,
    to: DeviceMemory,
}

impl Copy {
    /// Buffers of `bytes` bytes each.
    ///
    /// # Errors
    /// Too little memory.
    pub(super) fn new(bytes: u64) -> Result<Self, DeviceError> {
        Ok(Self {
            from: DeviceMemory::new(bytes)?,
            to: DeviceMemory::new(bytes)?,
        })
    }

    /// Queues one copy.
    ///
    /// # Errors
    /// A card that has failed.
    pub(super) fn queue(&self, stream: &Stream) -> Result<(), DeviceError> {
        driver!(cuMemcpyDtoDAsync_v2(
            self.to.address,
            self.from.address,
            self.from.bytes as usize,
            stream.handle
        ))
    }
}

/// Measures the card.
///
/// # Errors
/// A card that has failed, or has no memory left for two buffers.
pub(super) fn measure(card: &Card) -> Result<Rates, DeviceError> {
    let stream = Stream::new()?;
    Ok(Rates {
        matrix: match card.capability == WGMMA {
            true => Some(matrix_rate(card, &stream)?),
            false => None,
        },
        copy: copy_rate(&stream)?,
    })
}

/// Seconds that the queued work of `work` takes.
fn timed(
    stream: &Stream,
    work: impl Fn() -> Result<(), DeviceError>,
    times: usize,
) -> Result<f64, DeviceError> {
    let (begin, end) = (Event::timed()?, Event::timed()?);
    work()?;
    begin.record(stream)?;
    for _ in 0..times {
        work()?;
    }
    end.record(stream)?;
    stream.synchronize()?;
    end.seconds_since(&begin)
}

fn copy_rate(stream: &Stream) -> Result<f64, DeviceError> {
    let copy = Copy::new(COPY_BYTES)?;
    copy.from.clear(stream)?;
    let seconds = timed(stream, || copy.queue(stream), COPIES)?;
    Ok((2 * COPY_BYTES) as f64 * COPIES as f64 / seconds)
}

fn matrix_rate(card: &Card, stream: &Stream) -> Result<f64, DeviceError> {
    let text = CString::new(kernel()).unwrap_or_default();
    let mut module = std::ptr::null_mut();
    driver!(cuModuleLoadDataEx(
        &raw mut module,
        text.as_ptr().cast(),
        0,
        std::ptr::null_mut(),
        std::ptr::null_mut()
    ))?;
    let result = run(card, stream, module);
    driver!(cuModuleUnload(module))?;
    result
}

fn run(
    card: &Card,
    stream: &Stream,
    module: cudarc::driver::sys::CUmodule,
) -> Result<f64, DeviceError> {
    let mut function = std::ptr::null_mut();
    driver!(cuModuleGetFunction(
        &raw mut function,
        module,
        c"mm1c_matrix_rate".as_ptr()
    ))?;
    let result = DeviceMemory::new(256)?;
    let blocks = card.multiprocessors * BLOCKS;
    let launch = || {
        let (mut address, mut rounds) = (result.address, ROUNDS);
        let mut parameters: [*mut c_void; 2] =
            [(&raw mut address).cast(), (&raw mut rounds).cast()];
        driver!(cuLaunchKernel(
            function,
            blocks,
            1,
            1,
            128,
            1,
            1,
            0,
            stream.handle,
            parameters.as_mut_ptr(),
            std::ptr::null_mut()
        ))
    };
    let seconds = timed(stream, launch, LAUNCHES)?;
    let products = f64::from(blocks) * f64::from(ROUNDS) * (PRODUCTS * LAUNCHES) as f64;
    Ok(products * PRODUCT_FLOPS / seconds)
}

/// The kernel: A is 64×16 and B 256×16 bf16 in shared memory, in tiles of 8 rows by 16 bytes
/// without a swizzle; numbers of both signs in [0.5, 1), since zeros would take less power.
fn kernel() -> String {
    let registers: Vec<String> = (0..128).map(|number| format!("%f{number}")).collect();
    let registers = registers.join(", ");
    let mut products = String::new();
    for number in 0..PRODUCTS {
        // The first of a round starts from zero, so that no sum grows without end.
        let keep = if number == 0 { "%p1" } else { "%p2" };
        let _ = writeln!(
            products,
            "  wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {{{registers}}}, %rd1, %rd2, \
             {keep}, 1, 1, 0, 0;"
        );
    }
    // Every result is used: the assembler narrows products whose columns nobody reads.
    let mut sum = String::new();
    for number in 1..128 {
        let _ = writeln!(sum, "  add.f32 %f0, %f0, %f{number};");
    }
    format!(
        "\
.version 8.0
.target sm_90a
.address_size 64

.visible .entry mm1c_matrix_rate(.param .u64 result, .param .u32 rounds)
.maxntid 128, 1, 1
{{
  .reg .pred %p<4>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<4>;
  .reg .f32 %f<128>;
  .shared .align 128 .b8 tiles[10240];

  mov.u32 %r0, %tid.x;
  mov.u32 %r1, tiles;
  mov.u32 %r2, %r0;
FILL:
  mul.lo.u32 %r3, %r2, 0x9e3779b1;
  and.b32 %r3, %r3, 0x807f807f;
  or.b32 %r3, %r3, 0x3f003f00;
  shl.b32 %r4, %r2, 2;
  add.u32 %r4, %r1, %r4;
  st.shared.b32 [%r4], %r3;
  add.u32 %r2, %r2, 128;
  setp.lt.u32 %p0, %r2, 2560;
  @%p0 bra FILL;
  fence.proxy.async.shared::cta;
  bar.sync 0;

  and.b32 %r5, %r1, 0x3ffff;
  shr.u32 %r5, %r5, 4;
  cvt.u64.u32 %rd1, %r5;
  or.b64 %rd1, %rd1, 0x1000080000;
  add.u64 %rd2, %rd1, 128;
  ld.param.u64 %rd3, [result];
  ld.param.u32 %r6, [rounds];
  setp.ne.u32 %p1, %r1, %r1;
  setp.eq.u32 %p2, %r1, %r1;
LOOP:
  wgmma.fence.sync.aligned;
{products}  wgmma.commit_group.sync.aligned;
  wgmma.wait_group.sync.aligned 0;
  sub.u32 %r6, %r6, 1;
  setp.ne.u32 %p3, %r6, 0;
  @%p3 bra LOOP;

{sum}  setp.eq.f32 %p3, %f0, 0f7F000001;
  @%p3 st.global.f32 [%rd3], %f0;
  ret;
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_has_its_products_and_one_entry() {
        let text = kernel();
        assert_eq!(text.matches("wgmma.mma_async").count(), PRODUCTS);
        assert_eq!(text.matches(".entry").count(), 1);
        assert!(text.contains("%f127}, %rd1, %rd2, %p1, 1, 1, 0, 0;"));
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
