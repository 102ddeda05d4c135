// matmul+add+add: wgmma 64x64, 6 steps, rows copied along k, columns copied along k
!sums = !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)>
module {
llvm.mlir.global external @ring() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%p0: i64, %p1: i64, %p2: i64, %p3: i64, %p4: i64, %ext0: i64, %tiles: i64, %map0: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %map1: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 256>, nvvm.minctasm = 2 : i32} {
  %arg0 = llvm.inttoptr %p0 : i64 to !llvm.ptr<1>
  %arg1 = llvm.inttoptr %p1 : i64 to !llvm.ptr<1>
  %arg2 = llvm.inttoptr %p2 : i64 to !llvm.ptr<1>
  %arg3 = llvm.inttoptr %p3 : i64 to !llvm.ptr<1>
  %arg4 = llvm.inttoptr %p4 : i64 to !llvm.ptr<1>
  %size0 = llvm.freeze %ext0 : i64
  %size1 = llvm.mlir.constant(128 : i64) : i64
  %size2 = llvm.mlir.constant(128 : i64) : i64
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
  %t39 = llvm.mlir.constant(8 : i32) : i32
  %t40 = llvm.mul %t32, %t39 : i32
  %t41 = llvm.udiv %t34, %t40 : i32
  %t42 = llvm.urem %t34, %t40 : i32
  %t43 = llvm.mlir.constant(8 : i32) : i32
  %t44 = llvm.mul %t41, %t43 : i32
  %t45 = llvm.sub %t27, %t44 : i32
  %t46 = llvm.mlir.constant(8 : i32) : i32
  %t47 = llvm.intr.umin(%t45, %t46) : (i32, i32) -> i32
  %t48 = llvm.urem %t42, %t47 : i32
  %t49 = llvm.udiv %t42, %t47 : i32
  %t50 = llvm.add %t44, %t48 : i32
  %t51 = llvm.zext %t50 : i32 to i64
  %t52 = llvm.mlir.constant(64 : i64) : i64
  %t53 = llvm.mul %t51, %t52 : i64
  %t54 = llvm.zext %t49 : i32 to i64
  %t55 = llvm.mlir.constant(64 : i64) : i64
  %t56 = llvm.mul %t54, %t55 : i64
  %t57 = llvm.mlir.constant(63 : i64) : i64
  %t58 = llvm.add %size2, %t57 : i64
  %t59 = llvm.mlir.constant(64 : i64) : i64
  %t60 = llvm.udiv %t58, %t59 : i64
  %t61 = llvm.trunc %t60 : i64 to i32
  %t62 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b11(%t62, %t35, %t36 : i32, i32, i32)
^b11(%t63: i32, %t64: i32, %t65: i32):
  %t66 = llvm.icmp "slt" %t63, %t61 : i32
  llvm.cond_br %t66, ^b12, ^b13
^b12:
  %t67 = llvm.mlir.constant(1 : i32) : i32
  %t68 = llvm.xor %t65, %t67 : i32
  %t69 = llvm.mlir.constant(3 : i32) : i32
  %t70 = llvm.shl %t64, %t69 : i32
  %t71 = llvm.add %t13, %t70 : i32
  %t72 = llvm.mlir.constant(48 : i32) : i32
  %t73 = llvm.add %t71, %t72 : i32
  llvm.br ^b14
^b14:
  %t74 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t73, %t68 : (i32, i32) -> i32
  %t75 = llvm.mlir.constant(0 : i32) : i32
  %t76 = llvm.icmp "ne" %t74, %t75 : i32
  llvm.cond_br %t76, ^b15, ^b14
^b15:
  %t77 = llvm.zext %t63 : i32 to i64
  %t78 = llvm.mlir.constant(64 : i64) : i64
  %t79 = llvm.mul %t77, %t78 : i64
  %t80 = llvm.mlir.constant(3 : i32) : i32
  %t81 = llvm.shl %t64, %t80 : i32
  %t82 = llvm.add %t13, %t81 : i32
  %t83 = llvm.mlir.constant(16384 : i32) : i32
  %t84 = llvm.mul %t64, %t83 : i32
  %t85 = llvm.add %t9, %t84 : i32
  %t86 = llvm.mlir.constant(8192 : i32) : i32
  %t87 = llvm.add %t85, %t86 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 16384;", "r,~{memory}" %t82 : (i32) -> ()
  %t88 = llvm.mlir.constant(0 : i32) : i32
  %t89 = llvm.add %t85, %t88 : i32
  %t90 = llvm.trunc %t79 : i64 to i32
  %t91 = llvm.trunc %t53 : i64 to i32
  %t92 = llvm.mlir.constant(0 : i32) : i32
  %t93 = llvm.add %t91, %t92 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3}], [$4];", "r,l,r,r,r,~{memory}" %t89, %map0, %t90, %t93, %t82 : (i32, !llvm.ptr, i32, i32, i32) -> ()
  %t94 = llvm.mlir.constant(0 : i32) : i32
  %t95 = llvm.add %t87, %t94 : i32
  %t96 = llvm.trunc %t79 : i64 to i32
  %t97 = llvm.trunc %t56 : i64 to i32
  %t98 = llvm.mlir.constant(0 : i32) : i32
  %t99 = llvm.add %t97, %t98 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3}], [$4];", "r,l,r,r,r,~{memory}" %t95, %map1, %t96, %t99, %t82 : (i32, !llvm.ptr, i32, i32, i32) -> ()
  %t100 = llvm.mlir.constant(1 : i32) : i32
  %t101 = llvm.add %t63, %t100 : i32
  %t102 = llvm.mlir.constant(1 : i32) : i32
  %t103 = llvm.add %t64, %t102 : i32
  %t104 = llvm.mlir.constant(6 : i32) : i32
  %t105 = llvm.icmp "eq" %t103, %t104 : i32
  %t106 = llvm.mlir.constant(0 : i32) : i32
  %t107 = llvm.mlir.constant(1 : i32) : i32
  %t108 = llvm.select %t105, %t107, %t106 : i1, i32
  %t109 = llvm.select %t105, %t106, %t103 : i1, i32
  %t110 = llvm.xor %t65, %t108 : i32
  llvm.br ^b11(%t101, %t109, %t110 : i32, i32, i32)
^b13:
  %t111 = llvm.add %t34, %t21 : i32
  llvm.br ^b8(%t111, %t64, %t65 : i32, i32, i32)
^b10:
  llvm.br ^b7
^b7:
  llvm.br ^b5
^b4:
  %t112 = nvvm.read.ptx.sreg.ctaid.x : i32
  %t113 = nvvm.read.ptx.sreg.nctaid.x : i32
  %t114 = llvm.trunc %tiles : i64 to i32
  %t115 = llvm.mlir.constant(63 : i64) : i64
  %t116 = llvm.add %size0, %t115 : i64
  %t117 = llvm.mlir.constant(64 : i64) : i64
  %t118 = llvm.udiv %t116, %t117 : i64
  %t119 = llvm.trunc %t118 : i64 to i32
  %t120 = llvm.mlir.constant(63 : i64) : i64
  %t121 = llvm.add %size1, %t120 : i64
  %t122 = llvm.mlir.constant(64 : i64) : i64
  %t123 = llvm.udiv %t121, %t122 : i64
  %t124 = llvm.trunc %t123 : i64 to i32
  %t125 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b16(%t112, %t125, %t125 : i32, i32, i32)
^b16(%t126: i32, %t127: i32, %t128: i32):
  %t129 = llvm.icmp "slt" %t126, %t114 : i32
  llvm.cond_br %t129, ^b17, ^b18
^b17:
  %t130 = llvm.mul %t119, %t124 : i32
  %t131 = llvm.mlir.constant(8 : i32) : i32
  %t132 = llvm.mul %t124, %t131 : i32
  %t133 = llvm.udiv %t126, %t132 : i32
  %t134 = llvm.urem %t126, %t132 : i32
  %t135 = llvm.mlir.constant(8 : i32) : i32
  %t136 = llvm.mul %t133, %t135 : i32
  %t137 = llvm.sub %t119, %t136 : i32
  %t138 = llvm.mlir.constant(8 : i32) : i32
  %t139 = llvm.intr.umin(%t137, %t138) : (i32, i32) -> i32
  %t140 = llvm.urem %t134, %t139 : i32
  %t141 = llvm.udiv %t134, %t139 : i32
  %t142 = llvm.add %t136, %t140 : i32
  %t143 = llvm.zext %t142 : i32 to i64
  %t144 = llvm.mlir.constant(64 : i64) : i64
  %t145 = llvm.mul %t143, %t144 : i64
  %t146 = llvm.zext %t141 : i32 to i64
  %t147 = llvm.mlir.constant(64 : i64) : i64
  %t148 = llvm.mul %t146, %t147 : i64
  %t149 = llvm.mlir.constant(63 : i64) : i64
  %t150 = llvm.add %size2, %t149 : i64
  %t151 = llvm.mlir.constant(64 : i64) : i64
  %t152 = llvm.udiv %t150, %t151 : i64
  %t153 = llvm.trunc %t152 : i64 to i32
  %t154 = llvm.mlir.constant(0 : i32) : i32
  %t155 = llvm.mlir.constant(0x00000000 : f32) : f32
  %t156 = llvm.mlir.constant(31 : i32) : i32
  %t157 = llvm.and %t0, %t156 : i32
  %t158 = llvm.icmp "eq" %t157, %t154 : i32
  %t159 = llvm.mlir.constant(8192 : i32) : i32
  %t160 = llvm.mul %t3, %t159 : i32
  %t161 = llvm.mlir.constant(4611686293305360384 : i64) : i64
  %t162 = llvm.mlir.constant(4611686293305360384 : i64) : i64
  %t163 = llvm.mlir.constant(5 : i32) : i32
  llvm.br ^b19(%t154, %t127, %t128, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155, %t155 : i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b19(%t164: i32, %t165: i32, %t166: i32, %t167: f32, %t168: f32, %t169: f32, %t170: f32, %t171: f32, %t172: f32, %t173: f32, %t174: f32, %t175: f32, %t176: f32, %t177: f32, %t178: f32, %t179: f32, %t180: f32, %t181: f32, %t182: f32, %t183: f32, %t184: f32, %t185: f32, %t186: f32, %t187: f32, %t188: f32, %t189: f32, %t190: f32, %t191: f32, %t192: f32, %t193: f32, %t194: f32, %t195: f32, %t196: f32, %t197: f32, %t198: f32):
  %t199 = llvm.icmp "slt" %t164, %t153 : i32
  llvm.cond_br %t199, ^b20, ^b21
^b20:
  %t200 = llvm.mlir.constant(3 : i32) : i32
  %t201 = llvm.shl %t165, %t200 : i32
  %t202 = llvm.add %t13, %t201 : i32
  llvm.br ^b22
^b22:
  %t203 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t202, %t166 : (i32, i32) -> i32
  %t204 = llvm.mlir.constant(0 : i32) : i32
  %t205 = llvm.icmp "ne" %t203, %t204 : i32
  llvm.cond_br %t205, ^b23, ^b22
^b23:
  %t206 = llvm.mlir.constant(16384 : i32) : i32
  %t207 = llvm.mul %t165, %t206 : i32
  %t208 = llvm.add %t9, %t207 : i32
  %t209 = llvm.add %t208, %t160 : i32
  %t210 = llvm.mlir.constant(8192 : i32) : i32
  %t211 = llvm.add %t208, %t210 : i32
  %t212 = llvm.mlir.constant(4 : i32) : i32
  %t213 = llvm.lshr %t209, %t212 : i32
  %t214 = llvm.zext %t213 : i32 to i64
  %t215 = llvm.or %t161, %t214 : i64
  %t216 = llvm.mlir.constant(4 : i32) : i32
  %t217 = llvm.lshr %t211, %t216 : i32
  %t218 = llvm.zext %t217 : i32 to i64
  %t219 = llvm.or %t162, %t218 : i64
  %t220 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; .reg .b64 a, b; setp.eq.b32 p, 0, 0; mov.b64 a, $32; mov.b64 b, $33; wgmma.fence.sync.aligned; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 0, 0; add.s64 a, a, 2; add.s64 b, b, 2; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 0, 0; add.s64 a, a, 2; add.s64 b, b, 2; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 0, 0; add.s64 a, a, 2; add.s64 b, b, 2; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 0, 0; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 1; }", "=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,l,l,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,~{memory}" %t215, %t219, %t167, %t168, %t169, %t170, %t171, %t172, %t173, %t174, %t175, %t176, %t177, %t178, %t179, %t180, %t181, %t182, %t183, %t184, %t185, %t186, %t187, %t188, %t189, %t190, %t191, %t192, %t193, %t194, %t195, %t196, %t197, %t198 : (i64, i64, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) -> !sums
  %t221 = llvm.extractvalue %t220[0] : !sums
  %t222 = llvm.extractvalue %t220[1] : !sums
  %t223 = llvm.extractvalue %t220[2] : !sums
  %t224 = llvm.extractvalue %t220[3] : !sums
  %t225 = llvm.extractvalue %t220[4] : !sums
  %t226 = llvm.extractvalue %t220[5] : !sums
  %t227 = llvm.extractvalue %t220[6] : !sums
  %t228 = llvm.extractvalue %t220[7] : !sums
  %t229 = llvm.extractvalue %t220[8] : !sums
  %t230 = llvm.extractvalue %t220[9] : !sums
  %t231 = llvm.extractvalue %t220[10] : !sums
  %t232 = llvm.extractvalue %t220[11] : !sums
  %t233 = llvm.extractvalue %t220[12] : !sums
  %t234 = llvm.extractvalue %t220[13] : !sums
  %t235 = llvm.extractvalue %t220[14] : !sums
  %t236 = llvm.extractvalue %t220[15] : !sums
  %t237 = llvm.extractvalue %t220[16] : !sums
  %t238 = llvm.extractvalue %t220[17] : !sums
  %t239 = llvm.extractvalue %t220[18] : !sums
  %t240 = llvm.extractvalue %t220[19] : !sums
  %t241 = llvm.extractvalue %t220[20] : !sums
  %t242 = llvm.extractvalue %t220[21] : !sums
  %t243 = llvm.extractvalue %t220[22] : !sums
  %t244 = llvm.extractvalue %t220[23] : !sums
  %t245 = llvm.extractvalue %t220[24] : !sums
  %t246 = llvm.extractvalue %t220[25] : !sums
  %t247 = llvm.extractvalue %t220[26] : !sums
  %t248 = llvm.extractvalue %t220[27] : !sums
  %t249 = llvm.extractvalue %t220[28] : !sums
  %t250 = llvm.extractvalue %t220[29] : !sums
  %t251 = llvm.extractvalue %t220[30] : !sums
  %t252 = llvm.extractvalue %t220[31] : !sums
  %t253 = llvm.mlir.constant(0 : i32) : i32
  %t254 = llvm.icmp "eq" %t165, %t253 : i32
  %t255 = llvm.mlir.constant(1 : i32) : i32
  %t256 = llvm.sub %t165, %t255 : i32
  %t257 = llvm.select %t254, %t163, %t256 : i1, i32
  %t258 = llvm.mlir.constant(0 : i32) : i32
  %t259 = llvm.icmp "sgt" %t164, %t258 : i32
  %t260 = llvm.and %t259, %t158 : i1
  %t261 = llvm.mlir.constant(3 : i32) : i32
  %t262 = llvm.shl %t257, %t261 : i32
  %t263 = llvm.add %t13, %t262 : i32
  %t264 = llvm.mlir.constant(48 : i32) : i32
  %t265 = llvm.add %t263, %t264 : i32
  %t266 = llvm.zext %t260 : i1 to i32
  llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; setp.ne.b32 p, $1, 0; @p mbarrier.arrive.shared::cta.b64 _, [$0]; }", "r,r,~{memory}" %t265, %t266 : (i32, i32) -> ()
  %t267 = llvm.mlir.constant(1 : i32) : i32
  %t268 = llvm.add %t164, %t267 : i32
  %t269 = llvm.mlir.constant(1 : i32) : i32
  %t270 = llvm.add %t165, %t269 : i32
  %t271 = llvm.mlir.constant(6 : i32) : i32
  %t272 = llvm.icmp "eq" %t270, %t271 : i32
  %t273 = llvm.mlir.constant(0 : i32) : i32
  %t274 = llvm.mlir.constant(1 : i32) : i32
  %t275 = llvm.select %t272, %t274, %t273 : i1, i32
  %t276 = llvm.select %t272, %t273, %t270 : i1, i32
  %t277 = llvm.xor %t166, %t275 : i32
  llvm.br ^b19(%t268, %t276, %t277, %t221, %t222, %t223, %t224, %t225, %t226, %t227, %t228, %t229, %t230, %t231, %t232, %t233, %t234, %t235, %t236, %t237, %t238, %t239, %t240, %t241, %t242, %t243, %t244, %t245, %t246, %t247, %t248, %t249, %t250, %t251, %t252 : i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b21:
  llvm.inline_asm has_side_effects asm_dialect = att "wgmma.wait_group.sync.aligned 0;", "~{memory}"  : () -> ()
  %t278 = llvm.icmp "sgt" %t164, %t154 : i32
  %t279 = llvm.and %t278, %t158 : i1
  %t280 = llvm.mlir.constant(0 : i32) : i32
  %t281 = llvm.icmp "eq" %t165, %t280 : i32
  %t282 = llvm.mlir.constant(1 : i32) : i32
  %t283 = llvm.sub %t165, %t282 : i32
  %t284 = llvm.select %t281, %t163, %t283 : i1, i32
  %t285 = llvm.mlir.constant(3 : i32) : i32
  %t286 = llvm.shl %t284, %t285 : i32
  %t287 = llvm.add %t13, %t286 : i32
  %t288 = llvm.mlir.constant(48 : i32) : i32
  %t289 = llvm.add %t287, %t288 : i32
  %t290 = llvm.zext %t279 : i1 to i32
  llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; setp.ne.b32 p, $1, 0; @p mbarrier.arrive.shared::cta.b64 _, [$0]; }", "r,r,~{memory}" %t289, %t290 : (i32, i32) -> ()
  %t291 = llvm.mlir.constant(5 : i32) : i32
  %t292 = llvm.lshr %t0, %t291 : i32
  %t293 = llvm.mlir.constant(31 : i32) : i32
  %t294 = llvm.and %t0, %t293 : i32
  %t295 = llvm.mlir.constant(2560 : i32) : i32
  %t296 = llvm.mul %t292, %t295 : i32
  %t297 = llvm.add %t11, %t296 : i32
  %t298 = llvm.mlir.constant(2 : i32) : i32
  %t299 = llvm.lshr %t294, %t298 : i32
  %t300 = llvm.mlir.constant(3 : i32) : i32
  %t301 = llvm.and %t294, %t300 : i32
  %t302 = llvm.mlir.constant(160 : i32) : i32
  %t303 = llvm.mul %t299, %t302 : i32
  %t304 = llvm.mlir.constant(3 : i32) : i32
  %t305 = llvm.shl %t301, %t304 : i32
  %t306 = llvm.add %t303, %t305 : i32
  %t307 = llvm.add %t297, %t306 : i32
  %t308 = llvm.mlir.constant(3 : i32) : i32
  %t309 = llvm.lshr %t294, %t308 : i32
  %t310 = llvm.mlir.constant(7 : i32) : i32
  %t311 = llvm.and %t294, %t310 : i32
  %t312 = llvm.mlir.constant(2 : i32) : i32
  %t313 = llvm.shl %t311, %t312 : i32
  %t314 = llvm.mlir.constant(160 : i32) : i32
  %t315 = llvm.mul %t309, %t314 : i32
  %t316 = llvm.mlir.constant(2 : i32) : i32
  %t317 = llvm.shl %t313, %t316 : i32
  %t318 = llvm.add %t315, %t317 : i32
  %t319 = llvm.add %t297, %t318 : i32
  %t320 = llvm.zext %t309 : i32 to i64
  %t321 = llvm.mlir.constant(16 : i32) : i32
  %t322 = llvm.mul %t292, %t321 : i32
  %t323 = llvm.zext %t322 : i32 to i64
  %t324 = llvm.add %t320, %t323 : i64
  %t325 = llvm.add %t145, %t324 : i64
  %t326 = llvm.zext %t313 : i32 to i64
  %t327 = llvm.add %t148, %t326 : i64
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+0], {$1, $2};", "r,f,f,~{memory}" %t307, %t167, %t168 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1280], {$1, $2};", "r,f,f,~{memory}" %t307, %t169, %t170 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+32], {$1, $2};", "r,f,f,~{memory}" %t307, %t171, %t172 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1312], {$1, $2};", "r,f,f,~{memory}" %t307, %t173, %t174 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+64], {$1, $2};", "r,f,f,~{memory}" %t307, %t175, %t176 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1344], {$1, $2};", "r,f,f,~{memory}" %t307, %t177, %t178 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+96], {$1, $2};", "r,f,f,~{memory}" %t307, %t179, %t180 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1376], {$1, $2};", "r,f,f,~{memory}" %t307, %t181, %t182 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  %t328 = llvm.mlir.constant(0 : i64) : i64
  %t329 = llvm.add %t327, %t328 : i64
  %t330 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b24(%t330, %t319, %t325 : i32, i32, i64)
^b24(%t331: i32, %t332: i32, %t333: i64):
  %t334 = llvm.mlir.constant(16 : i32) : i32
  %t335 = llvm.icmp "slt" %t331, %t334 : i32
  llvm.cond_br %t335, ^b25, ^b26
^b25:
  %t336 = llvm.icmp "slt" %t333, %size0 : i64
  llvm.cond_br %t336, ^b27, ^b28
^b27:
  %t337 = llvm.mlir.constant(0 : i32) : i32
  %t338 = llvm.add %t332, %t337 : i32
  %t339 = llvm.inttoptr %t338 : i32 to !llvm.ptr<3>
  %t340 = llvm.load %t339 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
  %t341 = llvm.mlir.constant(0 : i32) : i32
  %t342 = llvm.extractelement %t340[%t341 : i32] : vector<4xf32>
  %t343 = llvm.mlir.constant(1 : i32) : i32
  %t344 = llvm.extractelement %t340[%t343 : i32] : vector<4xf32>
  %t345 = llvm.mlir.constant(2 : i32) : i32
  %t346 = llvm.extractelement %t340[%t345 : i32] : vector<4xf32>
  %t347 = llvm.mlir.constant(3 : i32) : i32
  %t348 = llvm.extractelement %t340[%t347 : i32] : vector<4xf32>
  %t349 = llvm.mlir.constant(0 : i64) : i64
  %t350 = llvm.add %t329, %t349 : i64
  %t351 = llvm.icmp "slt" %t350, %size1 : i64
  llvm.cond_br %t351, ^b29, ^b30
^b29:
  %t352 = llvm.mlir.constant(128 : i64) : i64
  %t353 = llvm.mlir.constant(128 : i64) : i64
  %t354 = llvm.mlir.constant(512 : i64) : i64
  %t355 = llvm.mul %t333, %t354 : i64
  %t356 = llvm.getelementptr %arg3[%t355] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t357 = llvm.mlir.constant(4 : i64) : i64
  %t358 = llvm.mul %t350, %t357 : i64
  %t359 = llvm.getelementptr %t356[%t358] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t360 = llvm.load %t359 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t361 = llvm.mlir.constant(0 : i32) : i32
  %t362 = llvm.extractelement %t360[%t361 : i32] : vector<4xf32>
  %t363 = llvm.mlir.constant(1 : i32) : i32
  %t364 = llvm.extractelement %t360[%t363 : i32] : vector<4xf32>
  %t365 = llvm.mlir.constant(2 : i32) : i32
  %t366 = llvm.extractelement %t360[%t365 : i32] : vector<4xf32>
  %t367 = llvm.mlir.constant(3 : i32) : i32
  %t368 = llvm.extractelement %t360[%t367 : i32] : vector<4xf32>
  %t369 = llvm.mlir.constant(4 : i64) : i64
  %t370 = llvm.mul %t350, %t369 : i64
  %t371 = llvm.getelementptr %arg2[%t370] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t372 = llvm.load %t371 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t373 = llvm.mlir.constant(0 : i32) : i32
  %t374 = llvm.extractelement %t372[%t373 : i32] : vector<4xf32>
  %t375 = llvm.mlir.constant(1 : i32) : i32
  %t376 = llvm.extractelement %t372[%t375 : i32] : vector<4xf32>
  %t377 = llvm.mlir.constant(2 : i32) : i32
  %t378 = llvm.extractelement %t372[%t377 : i32] : vector<4xf32>
  %t379 = llvm.mlir.constant(3 : i32) : i32
  %t380 = llvm.extractelement %t372[%t379 : i32] : vector<4xf32>
  %t381 = llvm.fadd %t342, %t374 : f32
  %t382 = llvm.fadd %t344, %t376 : f32
  %t383 = llvm.fadd %t346, %t378 : f32
  %t384 = llvm.fadd %t348, %t380 : f32
  %t385 = llvm.fadd %t362, %t381 : f32
  %t386 = llvm.fadd %t364, %t382 : f32
  %t387 = llvm.fadd %t366, %t383 : f32
  %t388 = llvm.fadd %t368, %t384 : f32
  %t389 = llvm.mlir.constant(512 : i64) : i64
  %t390 = llvm.mul %t333, %t389 : i64
  %t391 = llvm.getelementptr %arg4[%t390] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t392 = llvm.mlir.constant(4 : i64) : i64
  %t393 = llvm.mul %t350, %t392 : i64
  %t394 = llvm.getelementptr %t391[%t393] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t395 = llvm.mlir.poison : vector<4xf32>
  %t396 = llvm.mlir.constant(0 : i32) : i32
  %t397 = llvm.insertelement %t385, %t395[%t396 : i32] : vector<4xf32>
  %t398 = llvm.mlir.constant(1 : i32) : i32
  %t399 = llvm.insertelement %t386, %t397[%t398 : i32] : vector<4xf32>
  %t400 = llvm.mlir.constant(2 : i32) : i32
  %t401 = llvm.insertelement %t387, %t399[%t400 : i32] : vector<4xf32>
  %t402 = llvm.mlir.constant(3 : i32) : i32
  %t403 = llvm.insertelement %t388, %t401[%t402 : i32] : vector<4xf32>
  llvm.store %t403, %t394 {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
  llvm.br ^b30
^b30:
  llvm.br ^b28
^b28:
  %t404 = llvm.mlir.constant(4 : i32) : i32
  %t405 = llvm.add %t331, %t404 : i32
  %t406 = llvm.mlir.constant(640 : i32) : i32
  %t407 = llvm.add %t332, %t406 : i32
  %t408 = llvm.mlir.constant(4 : i64) : i64
  %t409 = llvm.add %t333, %t408 : i64
  llvm.br ^b24(%t405, %t407, %t409 : i32, i32, i64)
^b26:
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+0], {$1, $2};", "r,f,f,~{memory}" %t307, %t183, %t184 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1280], {$1, $2};", "r,f,f,~{memory}" %t307, %t185, %t186 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+32], {$1, $2};", "r,f,f,~{memory}" %t307, %t187, %t188 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1312], {$1, $2};", "r,f,f,~{memory}" %t307, %t189, %t190 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+64], {$1, $2};", "r,f,f,~{memory}" %t307, %t191, %t192 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1344], {$1, $2};", "r,f,f,~{memory}" %t307, %t193, %t194 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+96], {$1, $2};", "r,f,f,~{memory}" %t307, %t195, %t196 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1376], {$1, $2};", "r,f,f,~{memory}" %t307, %t197, %t198 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  %t410 = llvm.mlir.constant(32 : i64) : i64
  %t411 = llvm.add %t327, %t410 : i64
  %t412 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b31(%t412, %t319, %t325 : i32, i32, i64)
^b31(%t413: i32, %t414: i32, %t415: i64):
  %t416 = llvm.mlir.constant(16 : i32) : i32
  %t417 = llvm.icmp "slt" %t413, %t416 : i32
  llvm.cond_br %t417, ^b32, ^b33
^b32:
  %t418 = llvm.icmp "slt" %t415, %size0 : i64
  llvm.cond_br %t418, ^b34, ^b35
^b34:
  %t419 = llvm.mlir.constant(0 : i32) : i32
  %t420 = llvm.add %t414, %t419 : i32
  %t421 = llvm.inttoptr %t420 : i32 to !llvm.ptr<3>
  %t422 = llvm.load %t421 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
  %t423 = llvm.mlir.constant(0 : i32) : i32
  %t424 = llvm.extractelement %t422[%t423 : i32] : vector<4xf32>
  %t425 = llvm.mlir.constant(1 : i32) : i32
  %t426 = llvm.extractelement %t422[%t425 : i32] : vector<4xf32>
  %t427 = llvm.mlir.constant(2 : i32) : i32
  %t428 = llvm.extractelement %t422[%t427 : i32] : vector<4xf32>
  %t429 = llvm.mlir.constant(3 : i32) : i32
  %t430 = llvm.extractelement %t422[%t429 : i32] : vector<4xf32>
  %t431 = llvm.mlir.constant(0 : i64) : i64
  %t432 = llvm.add %t411, %t431 : i64
  %t433 = llvm.icmp "slt" %t432, %size1 : i64
  llvm.cond_br %t433, ^b36, ^b37
^b36:
  %t434 = llvm.mlir.constant(128 : i64) : i64
  %t435 = llvm.mlir.constant(128 : i64) : i64
  %t436 = llvm.mlir.constant(512 : i64) : i64
  %t437 = llvm.mul %t415, %t436 : i64
  %t438 = llvm.getelementptr %arg3[%t437] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t439 = llvm.mlir.constant(4 : i64) : i64
  %t440 = llvm.mul %t432, %t439 : i64
  %t441 = llvm.getelementptr %t438[%t440] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t442 = llvm.load %t441 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t443 = llvm.mlir.constant(0 : i32) : i32
  %t444 = llvm.extractelement %t442[%t443 : i32] : vector<4xf32>
  %t445 = llvm.mlir.constant(1 : i32) : i32
  %t446 = llvm.extractelement %t442[%t445 : i32] : vector<4xf32>
  %t447 = llvm.mlir.constant(2 : i32) : i32
  %t448 = llvm.extractelement %t442[%t447 : i32] : vector<4xf32>
  %t449 = llvm.mlir.constant(3 : i32) : i32
  %t450 = llvm.extractelement %t442[%t449 : i32] : vector<4xf32>
  %t451 = llvm.mlir.constant(4 : i64) : i64
  %t452 = llvm.mul %t432, %t451 : i64
  %t453 = llvm.getelementptr %arg2[%t452] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t454 = llvm.load %t453 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t455 = llvm.mlir.constant(0 : i32) : i32
  %t456 = llvm.extractelement %t454[%t455 : i32] : vector<4xf32>
  %t457 = llvm.mlir.constant(1 : i32) : i32
  %t458 = llvm.extractelement %t454[%t457 : i32] : vector<4xf32>
  %t459 = llvm.mlir.constant(2 : i32) : i32
  %t460 = llvm.extractelement %t454[%t459 : i32] : vector<4xf32>
  %t461 = llvm.mlir.constant(3 : i32) : i32
  %t462 = llvm.extractelement %t454[%t461 : i32] : vector<4xf32>
  %t463 = llvm.fadd %t424, %t456 : f32
  %t464 = llvm.fadd %t426, %t458 : f32
  %t465 = llvm.fadd %t428, %t460 : f32
  %t466 = llvm.fadd %t430, %t462 : f32
  %t467 = llvm.fadd %t444, %t463 : f32
  %t468 = llvm.fadd %t446, %t464 : f32
  %t469 = llvm.fadd %t448, %t465 : f32
  %t470 = llvm.fadd %t450, %t466 : f32
  %t471 = llvm.mlir.constant(512 : i64) : i64
  %t472 = llvm.mul %t415, %t471 : i64
  %t473 = llvm.getelementptr %arg4[%t472] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t474 = llvm.mlir.constant(4 : i64) : i64
  %t475 = llvm.mul %t432, %t474 : i64
  %t476 = llvm.getelementptr %t473[%t475] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t477 = llvm.mlir.poison : vector<4xf32>
  %t478 = llvm.mlir.constant(0 : i32) : i32
  %t479 = llvm.insertelement %t467, %t477[%t478 : i32] : vector<4xf32>
  %t480 = llvm.mlir.constant(1 : i32) : i32
  %t481 = llvm.insertelement %t468, %t479[%t480 : i32] : vector<4xf32>
  %t482 = llvm.mlir.constant(2 : i32) : i32
  %t483 = llvm.insertelement %t469, %t481[%t482 : i32] : vector<4xf32>
  %t484 = llvm.mlir.constant(3 : i32) : i32
  %t485 = llvm.insertelement %t470, %t483[%t484 : i32] : vector<4xf32>
  llvm.store %t485, %t476 {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
  llvm.br ^b37
^b37:
  llvm.br ^b35
^b35:
  %t486 = llvm.mlir.constant(4 : i32) : i32
  %t487 = llvm.add %t413, %t486 : i32
  %t488 = llvm.mlir.constant(640 : i32) : i32
  %t489 = llvm.add %t414, %t488 : i32
  %t490 = llvm.mlir.constant(4 : i64) : i64
  %t491 = llvm.add %t415, %t490 : i64
  llvm.br ^b31(%t487, %t489, %t491 : i32, i32, i64)
^b33:
  %t492 = llvm.add %t126, %t113 : i32
  llvm.br ^b16(%t492, %t165, %t166 : i32, i32, i32)
^b18:
  llvm.br ^b5
^b5:
  llvm.return
}
}
