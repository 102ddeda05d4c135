// matmul+add/8: wgmma 64x64, 6 steps, 8 parts of 256, rows copied along mn, columns copied along mn
!sums = !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)>
module {
llvm.mlir.global external @ring() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%p0: i64, %p1: i64, %p2: i64, %tiles: i64, %map0: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %map1: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 256>, nvvm.minctasm = 2 : i32} {
  %arg0 = llvm.inttoptr %p0 : i64 to !llvm.ptr<1>
  %arg1 = llvm.inttoptr %p1 : i64 to !llvm.ptr<1>
  %arg2 = llvm.inttoptr %p2 : i64 to !llvm.ptr<1>
  %size0 = llvm.mlir.constant(128 : i64) : i64
  %size1 = llvm.mlir.constant(352 : i64) : i64
  %size2 = llvm.mlir.constant(256 : i64) : i64
  %size3 = llvm.mlir.constant(8 : i64) : i64
  %t0 = nvvm.read.ptx.sreg.tid.x : i32
  %t1 = llvm.mlir.constant(7 : i32) : i32
  %t2 = llvm.lshr %t0, %t1 : i32
  %t3 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.idx.b32 $0, $1, 0, 31, -1;", "=r,r,~{memory}" %t2 : (i32) -> i32
  %t4 = llvm.mlir.addressof @ring : !llvm.ptr<3>
  %t5 = llvm.ptrtoint %t4 : !llvm.ptr<3> to i32
  %t6 = llvm.mlir.constant(1023 : i32) : i32
  %t7 = llvm.add %t5, %t6 : i32
  %t8 = llvm.mlir.constant(-1024 : i32) : i32
  %t9 = llvm.and %t7, %t8 : i32
  %t10 = llvm.mlir.constant(98304 : i32) : i32
  %t11 = llvm.add %t9, %t10 : i32
  %t12 = llvm.mlir.constant(10240 : i32) : i32
  %t13 = llvm.add %t11, %t12 : i32
  %t14 = llvm.mlir.constant(0 : i32) : i32
  %t15 = llvm.icmp "eq" %t0, %t14 : i32
  llvm.cond_br %t15, ^b1, ^b2
^b1:
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+0], 1;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+8], 1;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+16], 1;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+24], 1;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+32], 1;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+40], 1;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+48], 4;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+56], 4;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+64], 4;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+72], 4;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+80], 4;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+88], 4;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "fence.proxy.async.shared::cta;", "~{memory}"  : () -> ()
  llvm.br ^b2
^b2:
  nvvm.barrier0
  %t16 = llvm.mlir.constant(1 : i32) : i32
  %t17 = llvm.icmp "eq" %t3, %t16 : i32
  llvm.cond_br %t17, ^b3, ^b4
^b3:
  %t18 = llvm.mlir.constant(128 : i32) : i32
  %t19 = llvm.icmp "eq" %t0, %t18 : i32
  llvm.cond_br %t19, ^b6, ^b7
^b6:
  %t20 = nvvm.read.ptx.sreg.ctaid.x : i32
  %t21 = nvvm.read.ptx.sreg.nctaid.x : i32
  %t22 = llvm.trunc %tiles : i64 to i32
  %t23 = llvm.mlir.constant(63 : i64) : i64
  %t24 = llvm.add %size0, %t23 : i64
  %t25 = llvm.mlir.constant(64 : i64) : i64
  %t26 = llvm.udiv %t24, %t25 : i64
  %t27 = llvm.trunc %t26 : i64 to i32
  %t28 = llvm.mlir.constant(63 : i64) : i64
  %t29 = llvm.add %size1, %t28 : i64
  %t30 = llvm.mlir.constant(64 : i64) : i64
  %t31 = llvm.udiv %t29, %t30 : i64
  %t32 = llvm.trunc %t31 : i64 to i32
  %t33 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b8(%t20, %t33, %t33 : i32, i32, i32)
^b8(%t34: i32, %t35: i32, %t36: i32):
  %t37 = llvm.icmp "slt" %t34, %t22 : i32
  llvm.cond_br %t37, ^b9, ^b10
^b9:
  %t38 = llvm.mul %t27, %t32 : i32
  %t39 = llvm.udiv %t34, %t38 : i32
  %t40 = llvm.urem %t34, %t38 : i32
  %t41 = llvm.trunc %size3 : i64 to i32
  %t42 = llvm.zext %t39 : i32 to i64
  %t43 = llvm.mlir.constant(8 : i32) : i32
  %t44 = llvm.mul %t32, %t43 : i32
  %t45 = llvm.udiv %t40, %t44 : i32
  %t46 = llvm.urem %t40, %t44 : i32
  %t47 = llvm.mlir.constant(8 : i32) : i32
  %t48 = llvm.mul %t45, %t47 : i32
  %t49 = llvm.sub %t27, %t48 : i32
  %t50 = llvm.mlir.constant(8 : i32) : i32
  %t51 = llvm.intr.umin(%t49, %t50) : (i32, i32) -> i32
  %t52 = llvm.urem %t46, %t51 : i32
  %t53 = llvm.udiv %t46, %t51 : i32
  %t54 = llvm.add %t48, %t52 : i32
  %t55 = llvm.zext %t54 : i32 to i64
  %t56 = llvm.mlir.constant(64 : i64) : i64
  %t57 = llvm.mul %t55, %t56 : i64
  %t58 = llvm.zext %t53 : i32 to i64
  %t59 = llvm.mlir.constant(64 : i64) : i64
  %t60 = llvm.mul %t58, %t59 : i64
  %t61 = llvm.mlir.constant(63 : i64) : i64
  %t62 = llvm.add %size2, %t61 : i64
  %t63 = llvm.mlir.constant(64 : i64) : i64
  %t64 = llvm.udiv %t62, %t63 : i64
  %t65 = llvm.trunc %t64 : i64 to i32
  %t66 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b11(%t66, %t35, %t36 : i32, i32, i32)
^b11(%t67: i32, %t68: i32, %t69: i32):
  %t70 = llvm.icmp "slt" %t67, %t65 : i32
  llvm.cond_br %t70, ^b12, ^b13
^b12:
  %t71 = llvm.mlir.constant(1 : i32) : i32
  %t72 = llvm.xor %t69, %t71 : i32
  %t73 = llvm.mlir.constant(3 : i32) : i32
  %t74 = llvm.shl %t68, %t73 : i32
  %t75 = llvm.add %t13, %t74 : i32
  %t76 = llvm.mlir.constant(48 : i32) : i32
  %t77 = llvm.add %t75, %t76 : i32
  llvm.br ^b14
^b14:
  %t78 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t77, %t72 : (i32, i32) -> i32
  %t79 = llvm.mlir.constant(0 : i32) : i32
  %t80 = llvm.icmp "ne" %t78, %t79 : i32
  llvm.cond_br %t80, ^b15, ^b14
^b15:
  %t81 = llvm.zext %t67 : i32 to i64
  %t82 = llvm.mlir.constant(64 : i64) : i64
  %t83 = llvm.mul %t81, %t82 : i64
  %t84 = llvm.mlir.constant(3 : i32) : i32
  %t85 = llvm.shl %t68, %t84 : i32
  %t86 = llvm.add %t13, %t85 : i32
  %t87 = llvm.mlir.constant(16384 : i32) : i32
  %t88 = llvm.mul %t68, %t87 : i32
  %t89 = llvm.add %t9, %t88 : i32
  %t90 = llvm.mlir.constant(8192 : i32) : i32
  %t91 = llvm.add %t89, %t90 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 16384;", "r,~{memory}" %t86 : (i32) -> ()
  %t92 = llvm.mlir.constant(0 : i32) : i32
  %t93 = llvm.add %t89, %t92 : i32
  %t94 = llvm.trunc %t57 : i64 to i32
  %t95 = llvm.mlir.constant(0 : i32) : i32
  %t96 = llvm.add %t94, %t95 : i32
  %t97 = llvm.trunc %t83 : i64 to i32
  %t98 = llvm.trunc %t42 : i64 to i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3, $4}], [$5];", "r,l,r,r,r,r,~{memory}" %t93, %map0, %t96, %t97, %t98, %t86 : (i32, !llvm.ptr, i32, i32, i32, i32) -> ()
  %t99 = llvm.mlir.constant(0 : i32) : i32
  %t100 = llvm.add %t91, %t99 : i32
  %t101 = llvm.trunc %t60 : i64 to i32
  %t102 = llvm.mlir.constant(0 : i32) : i32
  %t103 = llvm.add %t101, %t102 : i32
  %t104 = llvm.trunc %t83 : i64 to i32
  %t105 = llvm.trunc %t42 : i64 to i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3, $4}], [$5];", "r,l,r,r,r,r,~{memory}" %t100, %map1, %t103, %t104, %t105, %t86 : (i32, !llvm.ptr, i32, i32, i32, i32) -> ()
  %t106 = llvm.mlir.constant(1 : i32) : i32
  %t107 = llvm.add %t67, %t106 : i32
  %t108 = llvm.mlir.constant(1 : i32) : i32
  %t109 = llvm.add %t68, %t108 : i32
  %t110 = llvm.mlir.constant(6 : i32) : i32
  %t111 = llvm.icmp "eq" %t109, %t110 : i32
  %t112 = llvm.mlir.constant(0 : i32) : i32
  %t113 = llvm.mlir.constant(1 : i32) : i32
  %t114 = llvm.select %t111, %t113, %t112 : i1, i32
  %t115 = llvm.select %t111, %t112, %t109 : i1, i32
  %t116 = llvm.xor %t69, %t114 : i32
  llvm.br ^b11(%t107, %t115, %t116 : i32, i32, i32)
^b13:
  %t117 = llvm.add %t34, %t21 : i32
  llvm.br ^b8(%t117, %t68, %t69 : i32, i32, i32)
^b10:
  llvm.br ^b7
^b7:
  llvm.br ^b5
^b4:
  %t118 = nvvm.read.ptx.sreg.ctaid.x : i32
  %t119 = nvvm.read.ptx.sreg.nctaid.x : i32
  %t120 = llvm.trunc %tiles : i64 to i32
  %t121 = llvm.mlir.constant(63 : i64) : i64
  %t122 = llvm.add %size0, %t121 : i64
  %t123 = llvm.mlir.constant(64 : i64) : i64
  %t124 = llvm.udiv %t122, %t123 : i64
  %t125 = llvm.trunc %t124 : i64 to i32
  %t126 = llvm.mlir.constant(63 : i64) : i64
  %t127 = llvm.add %size1, %t126 : i64
  %t128 = llvm.mlir.constant(64 : i64) : i64
  %t129 = llvm.udiv %t127, %t128 : i64
  %t130 = llvm.trunc %t129 : i64 to i32
  %t131 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b16(%t118, %t131, %t131 : i32, i32, i32)
^b16(%t132: i32, %t133: i32, %t134: i32):
  %t135 = llvm.icmp "slt" %t132, %t120 : i32
  llvm.cond_br %t135, ^b17, ^b18
^b17:
  %t136 = llvm.mul %t125, %t130 : i32
  %t137 = llvm.udiv %t132, %t136 : i32
  %t138 = llvm.urem %t132, %t136 : i32
  %t139 = llvm.trunc %size3 : i64 to i32
  %t140 = llvm.zext %t137 : i32 to i64
  %t141 = llvm.mlir.constant(8 : i32) : i32
  %t142 = llvm.mul %t130, %t141 : i32
  %t143 = llvm.udiv %t138, %t142 : i32
  %t144 = llvm.urem %t138, %t142 : i32
  %t145 = llvm.mlir.constant(8 : i32) : i32
  %t146 = llvm.mul %t143, %t145 : i32
  %t147 = llvm.sub %t125, %t146 : i32
  %t148 = llvm.mlir.constant(8 : i32) : i32
  %t149 = llvm.intr.umin(%t147, %t148) : (i32, i32) -> i32
  %t150 = llvm.urem %t144, %t149 : i32
  %t151 = llvm.udiv %t144, %t149 : i32
  %t152 = llvm.add %t146, %t150 : i32
  %t153 = llvm.zext %t152 : i32 to i64
  %t154 = llvm.mlir.constant(64 : i64) : i64
  %t155 = llvm.mul %t153, %t154 : i64
  %t156 = llvm.zext %t151 : i32 to i64
  %t157 = llvm.mlir.constant(64 : i64) : i64
  %t158 = llvm.mul %t156, %t157 : i64
  %t159 = llvm.mlir.constant(63 : i64) : i64
  %t160 = llvm.add %size2, %t159 : i64
  %t161 = llvm.mlir.constant(64 : i64) : i64
  %t162 = llvm.udiv %t160, %t161 : i64
  %t163 = llvm.trunc %t162 : i64 to i32
  %t164 = llvm.mlir.constant(0 : i32) : i32
  %t165 = llvm.mlir.constant(0x00000000 : f32) : f32
  %t166 = llvm.mlir.constant(31 : i32) : i32
  %t167 = llvm.and %t0, %t166 : i32
  %t168 = llvm.icmp "eq" %t167, %t164 : i32
  %t169 = llvm.mlir.constant(8192 : i32) : i32
  %t170 = llvm.mul %t3, %t169 : i32
  %t171 = llvm.mlir.constant(4611686293338849280 : i64) : i64
  %t172 = llvm.mlir.constant(4611686293338849280 : i64) : i64
  %t173 = llvm.mlir.constant(5 : i32) : i32
  llvm.br ^b19(%t164, %t133, %t134, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165, %t165 : i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b19(%t174: i32, %t175: i32, %t176: i32, %t177: f32, %t178: f32, %t179: f32, %t180: f32, %t181: f32, %t182: f32, %t183: f32, %t184: f32, %t185: f32, %t186: f32, %t187: f32, %t188: f32, %t189: f32, %t190: f32, %t191: f32, %t192: f32, %t193: f32, %t194: f32, %t195: f32, %t196: f32, %t197: f32, %t198: f32, %t199: f32, %t200: f32, %t201: f32, %t202: f32, %t203: f32, %t204: f32, %t205: f32, %t206: f32, %t207: f32, %t208: f32):
  %t209 = llvm.icmp "slt" %t174, %t163 : i32
  llvm.cond_br %t209, ^b20, ^b21
^b20:
  %t210 = llvm.mlir.constant(3 : i32) : i32
  %t211 = llvm.shl %t175, %t210 : i32
  %t212 = llvm.add %t13, %t211 : i32
  llvm.br ^b22
^b22:
  %t213 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t212, %t176 : (i32, i32) -> i32
  %t214 = llvm.mlir.constant(0 : i32) : i32
  %t215 = llvm.icmp "ne" %t213, %t214 : i32
  llvm.cond_br %t215, ^b23, ^b22
^b23:
  %t216 = llvm.mlir.constant(16384 : i32) : i32
  %t217 = llvm.mul %t175, %t216 : i32
  %t218 = llvm.add %t9, %t217 : i32
  %t219 = llvm.add %t218, %t170 : i32
  %t220 = llvm.mlir.constant(8192 : i32) : i32
  %t221 = llvm.add %t218, %t220 : i32
  %t222 = llvm.mlir.constant(4 : i32) : i32
  %t223 = llvm.lshr %t219, %t222 : i32
  %t224 = llvm.zext %t223 : i32 to i64
  %t225 = llvm.or %t171, %t224 : i64
  %t226 = llvm.mlir.constant(4 : i32) : i32
  %t227 = llvm.lshr %t221, %t226 : i32
  %t228 = llvm.zext %t227 : i32 to i64
  %t229 = llvm.or %t172, %t228 : i64
  %t230 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; .reg .b64 a, b; setp.eq.b32 p, 0, 0; mov.b64 a, $32; mov.b64 b, $33; wgmma.fence.sync.aligned; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 1, 1; add.s64 a, a, 128; add.s64 b, b, 128; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 1, 1; add.s64 a, a, 128; add.s64 b, b, 128; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 1, 1; add.s64 a, a, 128; add.s64 b, b, 128; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 1, 1; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 1; }", "=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,l,l,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,~{memory}" %t225, %t229, %t177, %t178, %t179, %t180, %t181, %t182, %t183, %t184, %t185, %t186, %t187, %t188, %t189, %t190, %t191, %t192, %t193, %t194, %t195, %t196, %t197, %t198, %t199, %t200, %t201, %t202, %t203, %t204, %t205, %t206, %t207, %t208 : (i64, i64, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) -> !sums
  %t231 = llvm.extractvalue %t230[0] : !sums
  %t232 = llvm.extractvalue %t230[1] : !sums
  %t233 = llvm.extractvalue %t230[2] : !sums
  %t234 = llvm.extractvalue %t230[3] : !sums
  %t235 = llvm.extractvalue %t230[4] : !sums
  %t236 = llvm.extractvalue %t230[5] : !sums
  %t237 = llvm.extractvalue %t230[6] : !sums
  %t238 = llvm.extractvalue %t230[7] : !sums
  %t239 = llvm.extractvalue %t230[8] : !sums
  %t240 = llvm.extractvalue %t230[9] : !sums
  %t241 = llvm.extractvalue %t230[10] : !sums
  %t242 = llvm.extractvalue %t230[11] : !sums
  %t243 = llvm.extractvalue %t230[12] : !sums
  %t244 = llvm.extractvalue %t230[13] : !sums
  %t245 = llvm.extractvalue %t230[14] : !sums
  %t246 = llvm.extractvalue %t230[15] : !sums
  %t247 = llvm.extractvalue %t230[16] : !sums
  %t248 = llvm.extractvalue %t230[17] : !sums
  %t249 = llvm.extractvalue %t230[18] : !sums
  %t250 = llvm.extractvalue %t230[19] : !sums
  %t251 = llvm.extractvalue %t230[20] : !sums
  %t252 = llvm.extractvalue %t230[21] : !sums
  %t253 = llvm.extractvalue %t230[22] : !sums
  %t254 = llvm.extractvalue %t230[23] : !sums
  %t255 = llvm.extractvalue %t230[24] : !sums
  %t256 = llvm.extractvalue %t230[25] : !sums
  %t257 = llvm.extractvalue %t230[26] : !sums
  %t258 = llvm.extractvalue %t230[27] : !sums
  %t259 = llvm.extractvalue %t230[28] : !sums
  %t260 = llvm.extractvalue %t230[29] : !sums
  %t261 = llvm.extractvalue %t230[30] : !sums
  %t262 = llvm.extractvalue %t230[31] : !sums
  %t263 = llvm.mlir.constant(0 : i32) : i32
  %t264 = llvm.icmp "eq" %t175, %t263 : i32
  %t265 = llvm.mlir.constant(1 : i32) : i32
  %t266 = llvm.sub %t175, %t265 : i32
  %t267 = llvm.select %t264, %t173, %t266 : i1, i32
  %t268 = llvm.mlir.constant(0 : i32) : i32
  %t269 = llvm.icmp "sgt" %t174, %t268 : i32
  %t270 = llvm.and %t269, %t168 : i1
  %t271 = llvm.mlir.constant(3 : i32) : i32
  %t272 = llvm.shl %t267, %t271 : i32
  %t273 = llvm.add %t13, %t272 : i32
  %t274 = llvm.mlir.constant(48 : i32) : i32
  %t275 = llvm.add %t273, %t274 : i32
  %t276 = llvm.zext %t270 : i1 to i32
  llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; setp.ne.b32 p, $1, 0; @p mbarrier.arrive.shared::cta.b64 _, [$0]; }", "r,r,~{memory}" %t275, %t276 : (i32, i32) -> ()
  %t277 = llvm.mlir.constant(1 : i32) : i32
  %t278 = llvm.add %t174, %t277 : i32
  %t279 = llvm.mlir.constant(1 : i32) : i32
  %t280 = llvm.add %t175, %t279 : i32
  %t281 = llvm.mlir.constant(6 : i32) : i32
  %t282 = llvm.icmp "eq" %t280, %t281 : i32
  %t283 = llvm.mlir.constant(0 : i32) : i32
  %t284 = llvm.mlir.constant(1 : i32) : i32
  %t285 = llvm.select %t282, %t284, %t283 : i1, i32
  %t286 = llvm.select %t282, %t283, %t280 : i1, i32
  %t287 = llvm.xor %t176, %t285 : i32
  llvm.br ^b19(%t278, %t286, %t287, %t231, %t232, %t233, %t234, %t235, %t236, %t237, %t238, %t239, %t240, %t241, %t242, %t243, %t244, %t245, %t246, %t247, %t248, %t249, %t250, %t251, %t252, %t253, %t254, %t255, %t256, %t257, %t258, %t259, %t260, %t261, %t262 : i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b21:
  llvm.inline_asm has_side_effects asm_dialect = att "wgmma.wait_group.sync.aligned 0;", "~{memory}"  : () -> ()
  %t288 = llvm.icmp "sgt" %t174, %t164 : i32
  %t289 = llvm.and %t288, %t168 : i1
  %t290 = llvm.mlir.constant(0 : i32) : i32
  %t291 = llvm.icmp "eq" %t175, %t290 : i32
  %t292 = llvm.mlir.constant(1 : i32) : i32
  %t293 = llvm.sub %t175, %t292 : i32
  %t294 = llvm.select %t291, %t173, %t293 : i1, i32
  %t295 = llvm.mlir.constant(3 : i32) : i32
  %t296 = llvm.shl %t294, %t295 : i32
  %t297 = llvm.add %t13, %t296 : i32
  %t298 = llvm.mlir.constant(48 : i32) : i32
  %t299 = llvm.add %t297, %t298 : i32
  %t300 = llvm.zext %t289 : i1 to i32
  llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; setp.ne.b32 p, $1, 0; @p mbarrier.arrive.shared::cta.b64 _, [$0]; }", "r,r,~{memory}" %t299, %t300 : (i32, i32) -> ()
  %t301 = llvm.mlir.constant(5 : i32) : i32
  %t302 = llvm.lshr %t0, %t301 : i32
  %t303 = llvm.mlir.constant(31 : i32) : i32
  %t304 = llvm.and %t0, %t303 : i32
  %t305 = llvm.mlir.constant(2560 : i32) : i32
  %t306 = llvm.mul %t302, %t305 : i32
  %t307 = llvm.add %t11, %t306 : i32
  %t308 = llvm.mlir.constant(2 : i32) : i32
  %t309 = llvm.lshr %t304, %t308 : i32
  %t310 = llvm.mlir.constant(3 : i32) : i32
  %t311 = llvm.and %t304, %t310 : i32
  %t312 = llvm.mlir.constant(160 : i32) : i32
  %t313 = llvm.mul %t309, %t312 : i32
  %t314 = llvm.mlir.constant(3 : i32) : i32
  %t315 = llvm.shl %t311, %t314 : i32
  %t316 = llvm.add %t313, %t315 : i32
  %t317 = llvm.add %t307, %t316 : i32
  %t318 = llvm.mlir.constant(3 : i32) : i32
  %t319 = llvm.lshr %t304, %t318 : i32
  %t320 = llvm.mlir.constant(7 : i32) : i32
  %t321 = llvm.and %t304, %t320 : i32
  %t322 = llvm.mlir.constant(2 : i32) : i32
  %t323 = llvm.shl %t321, %t322 : i32
  %t324 = llvm.mlir.constant(160 : i32) : i32
  %t325 = llvm.mul %t319, %t324 : i32
  %t326 = llvm.mlir.constant(2 : i32) : i32
  %t327 = llvm.shl %t323, %t326 : i32
  %t328 = llvm.add %t325, %t327 : i32
  %t329 = llvm.add %t307, %t328 : i32
  %t330 = llvm.zext %t319 : i32 to i64
  %t331 = llvm.mlir.constant(16 : i32) : i32
  %t332 = llvm.mul %t302, %t331 : i32
  %t333 = llvm.zext %t332 : i32 to i64
  %t334 = llvm.add %t330, %t333 : i64
  %t335 = llvm.add %t155, %t334 : i64
  %t336 = llvm.zext %t323 : i32 to i64
  %t337 = llvm.add %t158, %t336 : i64
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+0], {$1, $2};", "r,f,f,~{memory}" %t317, %t177, %t178 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1280], {$1, $2};", "r,f,f,~{memory}" %t317, %t179, %t180 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+32], {$1, $2};", "r,f,f,~{memory}" %t317, %t181, %t182 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1312], {$1, $2};", "r,f,f,~{memory}" %t317, %t183, %t184 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+64], {$1, $2};", "r,f,f,~{memory}" %t317, %t185, %t186 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1344], {$1, $2};", "r,f,f,~{memory}" %t317, %t187, %t188 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+96], {$1, $2};", "r,f,f,~{memory}" %t317, %t189, %t190 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1376], {$1, $2};", "r,f,f,~{memory}" %t317, %t191, %t192 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  %t338 = llvm.mlir.constant(0 : i64) : i64
  %t339 = llvm.add %t337, %t338 : i64
  %t340 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b24(%t340, %t329, %t335 : i32, i32, i64)
^b24(%t341: i32, %t342: i32, %t343: i64):
  %t344 = llvm.mlir.constant(16 : i32) : i32
  %t345 = llvm.icmp "slt" %t341, %t344 : i32
  llvm.cond_br %t345, ^b25, ^b26
^b25:
  %t346 = llvm.icmp "slt" %t343, %size0 : i64
  llvm.cond_br %t346, ^b27, ^b28
^b27:
  %t347 = llvm.mlir.constant(0 : i32) : i32
  %t348 = llvm.add %t342, %t347 : i32
  %t349 = llvm.inttoptr %t348 : i32 to !llvm.ptr<3>
  %t350 = llvm.load %t349 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
  %t351 = llvm.mlir.constant(0 : i32) : i32
  %t352 = llvm.extractelement %t350[%t351 : i32] : vector<4xf32>
  %t353 = llvm.mlir.constant(1 : i32) : i32
  %t354 = llvm.extractelement %t350[%t353 : i32] : vector<4xf32>
  %t355 = llvm.mlir.constant(2 : i32) : i32
  %t356 = llvm.extractelement %t350[%t355 : i32] : vector<4xf32>
  %t357 = llvm.mlir.constant(3 : i32) : i32
  %t358 = llvm.extractelement %t350[%t357 : i32] : vector<4xf32>
  %t359 = llvm.mlir.constant(0 : i64) : i64
  %t360 = llvm.add %t339, %t359 : i64
  %t361 = llvm.icmp "slt" %t360, %size1 : i64
  llvm.cond_br %t361, ^b29, ^b30
^b29:
  %t362 = llvm.mlir.constant(128 : i64) : i64
  %t363 = llvm.mlir.constant(352 : i64) : i64
  %t364 = llvm.mlir.constant(256 : i64) : i64
  %t365 = llvm.mlir.constant(8 : i64) : i64
  %t366 = llvm.mlir.constant(180224 : i64) : i64
  %t367 = llvm.mul %t140, %t366 : i64
  %t368 = llvm.getelementptr %arg2[%t367] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t369 = llvm.mlir.constant(1408 : i64) : i64
  %t370 = llvm.mul %t343, %t369 : i64
  %t371 = llvm.getelementptr %t368[%t370] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t372 = llvm.mlir.constant(4 : i64) : i64
  %t373 = llvm.mul %t360, %t372 : i64
  %t374 = llvm.getelementptr %t371[%t373] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t375 = llvm.mlir.poison : vector<4xf32>
  %t376 = llvm.mlir.constant(0 : i32) : i32
  %t377 = llvm.insertelement %t352, %t375[%t376 : i32] : vector<4xf32>
  %t378 = llvm.mlir.constant(1 : i32) : i32
  %t379 = llvm.insertelement %t354, %t377[%t378 : i32] : vector<4xf32>
  %t380 = llvm.mlir.constant(2 : i32) : i32
  %t381 = llvm.insertelement %t356, %t379[%t380 : i32] : vector<4xf32>
  %t382 = llvm.mlir.constant(3 : i32) : i32
  %t383 = llvm.insertelement %t358, %t381[%t382 : i32] : vector<4xf32>
  llvm.store %t383, %t374 {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
  llvm.br ^b30
^b30:
  llvm.br ^b28
^b28:
  %t384 = llvm.mlir.constant(4 : i32) : i32
  %t385 = llvm.add %t341, %t384 : i32
  %t386 = llvm.mlir.constant(640 : i32) : i32
  %t387 = llvm.add %t342, %t386 : i32
  %t388 = llvm.mlir.constant(4 : i64) : i64
  %t389 = llvm.add %t343, %t388 : i64
  llvm.br ^b24(%t385, %t387, %t389 : i32, i32, i64)
^b26:
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+0], {$1, $2};", "r,f,f,~{memory}" %t317, %t193, %t194 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1280], {$1, $2};", "r,f,f,~{memory}" %t317, %t195, %t196 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+32], {$1, $2};", "r,f,f,~{memory}" %t317, %t197, %t198 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1312], {$1, $2};", "r,f,f,~{memory}" %t317, %t199, %t200 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+64], {$1, $2};", "r,f,f,~{memory}" %t317, %t201, %t202 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1344], {$1, $2};", "r,f,f,~{memory}" %t317, %t203, %t204 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+96], {$1, $2};", "r,f,f,~{memory}" %t317, %t205, %t206 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1376], {$1, $2};", "r,f,f,~{memory}" %t317, %t207, %t208 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  %t390 = llvm.mlir.constant(32 : i64) : i64
  %t391 = llvm.add %t337, %t390 : i64
  %t392 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b31(%t392, %t329, %t335 : i32, i32, i64)
^b31(%t393: i32, %t394: i32, %t395: i64):
  %t396 = llvm.mlir.constant(16 : i32) : i32
  %t397 = llvm.icmp "slt" %t393, %t396 : i32
  llvm.cond_br %t397, ^b32, ^b33
^b32:
  %t398 = llvm.icmp "slt" %t395, %size0 : i64
  llvm.cond_br %t398, ^b34, ^b35
^b34:
  %t399 = llvm.mlir.constant(0 : i32) : i32
  %t400 = llvm.add %t394, %t399 : i32
  %t401 = llvm.inttoptr %t400 : i32 to !llvm.ptr<3>
  %t402 = llvm.load %t401 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
  %t403 = llvm.mlir.constant(0 : i32) : i32
  %t404 = llvm.extractelement %t402[%t403 : i32] : vector<4xf32>
  %t405 = llvm.mlir.constant(1 : i32) : i32
  %t406 = llvm.extractelement %t402[%t405 : i32] : vector<4xf32>
  %t407 = llvm.mlir.constant(2 : i32) : i32
  %t408 = llvm.extractelement %t402[%t407 : i32] : vector<4xf32>
  %t409 = llvm.mlir.constant(3 : i32) : i32
  %t410 = llvm.extractelement %t402[%t409 : i32] : vector<4xf32>
  %t411 = llvm.mlir.constant(0 : i64) : i64
  %t412 = llvm.add %t391, %t411 : i64
  %t413 = llvm.icmp "slt" %t412, %size1 : i64
  llvm.cond_br %t413, ^b36, ^b37
^b36:
  %t414 = llvm.mlir.constant(128 : i64) : i64
  %t415 = llvm.mlir.constant(352 : i64) : i64
  %t416 = llvm.mlir.constant(256 : i64) : i64
  %t417 = llvm.mlir.constant(8 : i64) : i64
  %t418 = llvm.mlir.constant(180224 : i64) : i64
  %t419 = llvm.mul %t140, %t418 : i64
  %t420 = llvm.getelementptr %arg2[%t419] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t421 = llvm.mlir.constant(1408 : i64) : i64
  %t422 = llvm.mul %t395, %t421 : i64
  %t423 = llvm.getelementptr %t420[%t422] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t424 = llvm.mlir.constant(4 : i64) : i64
  %t425 = llvm.mul %t412, %t424 : i64
  %t426 = llvm.getelementptr %t423[%t425] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t427 = llvm.mlir.poison : vector<4xf32>
  %t428 = llvm.mlir.constant(0 : i32) : i32
  %t429 = llvm.insertelement %t404, %t427[%t428 : i32] : vector<4xf32>
  %t430 = llvm.mlir.constant(1 : i32) : i32
  %t431 = llvm.insertelement %t406, %t429[%t430 : i32] : vector<4xf32>
  %t432 = llvm.mlir.constant(2 : i32) : i32
  %t433 = llvm.insertelement %t408, %t431[%t432 : i32] : vector<4xf32>
  %t434 = llvm.mlir.constant(3 : i32) : i32
  %t435 = llvm.insertelement %t410, %t433[%t434 : i32] : vector<4xf32>
  llvm.store %t435, %t426 {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
  llvm.br ^b37
^b37:
  llvm.br ^b35
^b35:
  %t436 = llvm.mlir.constant(4 : i32) : i32
  %t437 = llvm.add %t393, %t436 : i32
  %t438 = llvm.mlir.constant(640 : i32) : i32
  %t439 = llvm.add %t394, %t438 : i32
  %t440 = llvm.mlir.constant(4 : i64) : i64
  %t441 = llvm.add %t395, %t440 : i64
  llvm.br ^b31(%t437, %t439, %t441 : i32, i32, i64)
^b33:
  %t442 = llvm.add %t132, %t119 : i32
  llvm.br ^b16(%t442, %t175, %t176 : i32, i32, i32)
^b18:
  llvm.br ^b5
^b5:
  llvm.return
}
}
