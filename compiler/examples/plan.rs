//! Prints the kernel calls of a model.
use mm1_compiler::{build::Purpose, compile};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let model = match mm1_dsl::load(std::path::Path::new(&args[1]), &args[2..]) {
        Ok(m) => m,
        Err(d) => {
            eprintln!("{}", d.render(false));
            std::process::exit(1)
        }
    };
    let start = std::time::Instant::now();
    match compile::plan_model(&model, Purpose::All, true) {
        Ok(planned) => {
            for p in &planned.programs {
                println!(
                    "== {} calls {} arena {} MiB live {} MiB",
                    p.source.name,
                    p.fused.calls.len(),
                    p.plan.arena_bytes >> 20,
                    p.plan.largest_live_bytes >> 20
                );
                for c in &p.fused.calls {
                    println!(
                        "  {:60} {:40} {} {:.1} MFLOP",
                        c.name,
                        c.kernel.name,
                        c.kernel.hash(),
                        c.flops as f64 / 1e6
                    );
                }
            }
            println!(
                "{} distinct kernels, {:?}",
                compile::distinct_kernels(&planned).len(),
                start.elapsed()
            );
        }
        Err(compile::CompileError::Model(d)) => {
            for d in d {
                eprintln!("{d:?}");
            }
        }
        Err(e) => eprintln!("{e}"),
    }
}
