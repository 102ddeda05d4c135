// attention: wgmma attention 128x128 of 32, 6 slots
!sums16 = !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)>
!sums64 = !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)>
!sums80 = !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)>
module {
llvm.mlir.global external @ring() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%p0: i64, %p1: i64, %p2: i64, %ext0: i64, %tiles: i64, %map0: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %map1: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %map2: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 384>, nvvm.minctasm = 1 : i32} {
  %arg0 = llvm.inttoptr %p0 : i64 to !llvm.ptr<1>
  %arg1 = llvm.inttoptr %p1 : i64 to !llvm.ptr<1>
  %arg2 = llvm.inttoptr %p2 : i64 to !llvm.ptr<1>
  %t0 = nvvm.read.ptx.sreg.tid.x : i32
  %t1 = llvm.mlir.constant(7 : i32) : i32
  %t2 = llvm.lshr %t0, %t1 : i32
  %t3 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.idx.b32 $0, $1, 0, 31, -1;", "=r,r,~{memory}" %t2 : (i32) -> i32
  %t4 = llvm.mlir.constant(5 : i32) : i32
  %t5 = llvm.lshr %t0, %t4 : i32
  %t6 = llvm.mlir.constant(3 : i32) : i32
  %t7 = llvm.and %t5, %t6 : i32
  %t8 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.idx.b32 $0, $1, 0, 31, -1;", "=r,r,~{memory}" %t7 : (i32) -> i32
  %t9 = llvm.mlir.constant(31 : i32) : i32
  %t10 = llvm.and %t0, %t9 : i32
  %t11 = llvm.mlir.addressof @ring : !llvm.ptr<3>
  %t12 = llvm.ptrtoint %t11 : !llvm.ptr<3> to i32
  %t13 = llvm.mlir.constant(1023 : i32) : i32
  %t14 = llvm.add %t12, %t13 : i32
  %t15 = llvm.mlir.constant(-1024 : i32) : i32
  %t16 = llvm.and %t14, %t15 : i32
  %t17 = llvm.mlir.constant(16384 : i32) : i32
  %t18 = llvm.add %t16, %t17 : i32
  %t19 = llvm.mlir.constant(114688 : i32) : i32
  %t20 = llvm.add %t16, %t19 : i32
  %t21 = llvm.mlir.constant(114688 : i32) : i32
  %t22 = llvm.add %t16, %t21 : i32
  %t23 = llvm.mlir.constant(114800 : i32) : i32
  %t24 = llvm.add %t16, %t23 : i32
  %t25 = nvvm.read.ptx.sreg.ctaid.x : i32
  %t26 = llvm.mlir.constant(1 : i32) : i32
  %t27 = llvm.udiv %t25, %t26 : i32
  %t28 = llvm.mlir.constant(1 : i32) : i32
  %t29 = llvm.urem %t25, %t28 : i32
  %t30 = llvm.mlir.constant(4 : i32) : i32
  %t31 = llvm.udiv %t27, %t30 : i32
  %t32 = llvm.mlir.constant(4 : i32) : i32
  %t33 = llvm.urem %t27, %t32 : i32
  %t34 = llvm.mlir.constant(1 : i32) : i32
  %t35 = llvm.udiv %t29, %t34 : i32
  %t36 = llvm.mlir.constant(1 : i32) : i32
  %t37 = llvm.urem %t29, %t36 : i32
  %t38 = llvm.mlir.constant(128 : i32) : i32
  %t39 = llvm.mul %t35, %t38 : i32
  %t40 = llvm.zext %t31 : i32 to i64
  %t41 = llvm.zext %t33 : i32 to i64
  %t42 = llvm.zext %t37 : i32 to i64
  %t43 = llvm.mlir.constant(0 : i32) : i32
  %t44 = llvm.icmp "eq" %t0, %t43 : i32
  llvm.cond_br %t44, ^b1, ^b2
^b1:
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+0], 1;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+8], 1;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+16], 1;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+24], 1;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+32], 1;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+40], 1;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+48], 8;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+56], 8;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+64], 8;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+72], 8;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+80], 8;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+88], 8;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+96], 1;", "r,~{memory}" %t22 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "fence.proxy.async.shared::cta;", "~{memory}"  : () -> ()
  llvm.br ^b2
^b2:
  %t45 = llvm.mlir.constant(0 : i32) : i32
  %t46 = llvm.mlir.constant(65 : i32) : i32
  %t47 = llvm.sub %t46, %t45 : i32
  %t48 = llvm.mlir.constant(127 : i32) : i32
  %t49 = llvm.add %t47, %t48 : i32
  %t50 = llvm.mlir.constant(0 : i32) : i32
  %t51 = llvm.intr.smax(%t49, %t50) : (i32, i32) -> i32
  %t52 = llvm.mlir.constant(128 : i32) : i32
  %t53 = llvm.udiv %t51, %t52 : i32
  %t54 = llvm.mlir.constant(1 : i32) : i32
  %t55 = llvm.intr.smax(%t53, %t54) : (i32, i32) -> i32
  nvvm.barrier0
  %t56 = llvm.mlir.constant(2 : i32) : i32
  %t57 = llvm.icmp "eq" %t3, %t56 : i32
  llvm.cond_br %t57, ^b3, ^b4
^b3:
  llvm.inline_asm has_side_effects asm_dialect = att "setmaxnreg.dec.sync.aligned.u32 24;", "~{memory}"  : () -> ()
  %t58 = llvm.mlir.constant(256 : i32) : i32
  %t59 = llvm.icmp "eq" %t0, %t58 : i32
  llvm.cond_br %t59, ^b6, ^b7
^b6:
  %t60 = llvm.mlir.constant(96 : i32) : i32
  %t61 = llvm.add %t22, %t60 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 16384;", "r,~{memory}" %t61 : (i32) -> ()
  %t62 = llvm.mlir.constant(0 : i32) : i32
  %t63 = llvm.add %t16, %t62 : i32
  %t64 = llvm.trunc %t40 : i64 to i32
  %t65 = llvm.trunc %t41 : i64 to i32
  %t66 = llvm.mlir.constant(0 : i32) : i32
  %t67 = llvm.add %t63, %t66 : i32
  %t68 = llvm.mlir.constant(0 : i32) : i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3, $4, $5}], [$6];", "r,l,r,r,r,r,r,~{memory}" %t67, %map0, %t68, %t39, %t64, %t65, %t61 : (i32, !llvm.ptr, i32, i32, i32, i32, i32) -> ()
  %t69 = llvm.mlir.constant(0 : i32) : i32
  %t70 = llvm.mlir.constant(1 : i32) : i32
  %t71 = llvm.xor %t69, %t70 : i32
  %t72 = llvm.mlir.constant(3 : i32) : i32
  %t73 = llvm.shl %t69, %t72 : i32
  %t74 = llvm.add %t22, %t73 : i32
  %t75 = llvm.mlir.constant(48 : i32) : i32
  %t76 = llvm.add %t74, %t75 : i32
  llvm.br ^b8
^b8:
  %t77 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t76, %t71 : (i32, i32) -> i32
  %t78 = llvm.mlir.constant(0 : i32) : i32
  %t79 = llvm.icmp "ne" %t77, %t78 : i32
  llvm.cond_br %t79, ^b9, ^b8
^b9:
  %t80 = llvm.mlir.constant(3 : i32) : i32
  %t81 = llvm.shl %t69, %t80 : i32
  %t82 = llvm.add %t22, %t81 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 16384;", "r,~{memory}" %t82 : (i32) -> ()
  %t83 = llvm.mlir.constant(16384 : i32) : i32
  %t84 = llvm.mul %t69, %t83 : i32
  %t85 = llvm.add %t18, %t84 : i32
  %t86 = llvm.trunc %t40 : i64 to i32
  %t87 = llvm.trunc %t41 : i64 to i32
  %t88 = llvm.mlir.constant(0 : i32) : i32
  %t89 = llvm.add %t85, %t88 : i32
  %t90 = llvm.mlir.constant(0 : i32) : i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3, $4, $5}], [$6];", "r,l,r,r,r,r,r,~{memory}" %t89, %map1, %t90, %t45, %t86, %t87, %t82 : (i32, !llvm.ptr, i32, i32, i32, i32, i32) -> ()
  %t91 = llvm.mlir.constant(1 : i32) : i32
  %t92 = llvm.add %t69, %t91 : i32
  %t93 = llvm.mlir.constant(6 : i32) : i32
  %t94 = llvm.icmp "eq" %t92, %t93 : i32
  %t95 = llvm.mlir.constant(0 : i32) : i32
  %t96 = llvm.mlir.constant(1 : i32) : i32
  %t97 = llvm.select %t94, %t96, %t95 : i1, i32
  %t98 = llvm.select %t94, %t95, %t92 : i1, i32
  %t99 = llvm.xor %t69, %t97 : i32
  %t100 = llvm.mlir.constant(1 : i32) : i32
  llvm.br ^b10(%t100, %t98, %t99 : i32, i32, i32)
^b10(%t101: i32, %t102: i32, %t103: i32):
  %t104 = llvm.icmp "slt" %t101, %t55 : i32
  llvm.cond_br %t104, ^b11, ^b12
^b11:
  %t105 = llvm.mlir.constant(128 : i32) : i32
  %t106 = llvm.mul %t101, %t105 : i32
  %t107 = llvm.add %t45, %t106 : i32
  %t108 = llvm.mlir.constant(1 : i32) : i32
  %t109 = llvm.xor %t103, %t108 : i32
  %t110 = llvm.mlir.constant(3 : i32) : i32
  %t111 = llvm.shl %t102, %t110 : i32
  %t112 = llvm.add %t22, %t111 : i32
  %t113 = llvm.mlir.constant(48 : i32) : i32
  %t114 = llvm.add %t112, %t113 : i32
  llvm.br ^b13
^b13:
  %t115 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t114, %t109 : (i32, i32) -> i32
  %t116 = llvm.mlir.constant(0 : i32) : i32
  %t117 = llvm.icmp "ne" %t115, %t116 : i32
  llvm.cond_br %t117, ^b14, ^b13
^b14:
  %t118 = llvm.mlir.constant(3 : i32) : i32
  %t119 = llvm.shl %t102, %t118 : i32
  %t120 = llvm.add %t22, %t119 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 16384;", "r,~{memory}" %t120 : (i32) -> ()
  %t121 = llvm.mlir.constant(16384 : i32) : i32
  %t122 = llvm.mul %t102, %t121 : i32
  %t123 = llvm.add %t18, %t122 : i32
  %t124 = llvm.trunc %t40 : i64 to i32
  %t125 = llvm.trunc %t41 : i64 to i32
  %t126 = llvm.mlir.constant(0 : i32) : i32
  %t127 = llvm.add %t123, %t126 : i32
  %t128 = llvm.mlir.constant(0 : i32) : i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3, $4, $5}], [$6];", "r,l,r,r,r,r,r,~{memory}" %t127, %map1, %t128, %t107, %t124, %t125, %t120 : (i32, !llvm.ptr, i32, i32, i32, i32, i32) -> ()
  %t129 = llvm.mlir.constant(1 : i32) : i32
  %t130 = llvm.add %t102, %t129 : i32
  %t131 = llvm.mlir.constant(6 : i32) : i32
  %t132 = llvm.icmp "eq" %t130, %t131 : i32
  %t133 = llvm.mlir.constant(0 : i32) : i32
  %t134 = llvm.mlir.constant(1 : i32) : i32
  %t135 = llvm.select %t132, %t134, %t133 : i1, i32
  %t136 = llvm.select %t132, %t133, %t130 : i1, i32
  %t137 = llvm.xor %t103, %t135 : i32
  %t138 = llvm.mlir.constant(128 : i32) : i32
  %t139 = llvm.sub %t107, %t138 : i32
  %t140 = llvm.mlir.constant(1 : i32) : i32
  %t141 = llvm.xor %t137, %t140 : i32
  %t142 = llvm.mlir.constant(3 : i32) : i32
  %t143 = llvm.shl %t136, %t142 : i32
  %t144 = llvm.add %t22, %t143 : i32
  %t145 = llvm.mlir.constant(48 : i32) : i32
  %t146 = llvm.add %t144, %t145 : i32
  llvm.br ^b15
^b15:
  %t147 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t146, %t141 : (i32, i32) -> i32
  %t148 = llvm.mlir.constant(0 : i32) : i32
  %t149 = llvm.icmp "ne" %t147, %t148 : i32
  llvm.cond_br %t149, ^b16, ^b15
^b16:
  %t150 = llvm.mlir.constant(3 : i32) : i32
  %t151 = llvm.shl %t136, %t150 : i32
  %t152 = llvm.add %t22, %t151 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 16384;", "r,~{memory}" %t152 : (i32) -> ()
  %t153 = llvm.mlir.constant(16384 : i32) : i32
  %t154 = llvm.mul %t136, %t153 : i32
  %t155 = llvm.add %t18, %t154 : i32
  %t156 = llvm.trunc %t40 : i64 to i32
  %t157 = llvm.trunc %t41 : i64 to i32
  %t158 = llvm.mlir.constant(0 : i32) : i32
  %t159 = llvm.add %t155, %t158 : i32
  %t160 = llvm.mlir.constant(0 : i32) : i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3, $4, $5}], [$6];", "r,l,r,r,r,r,r,~{memory}" %t159, %map2, %t160, %t139, %t156, %t157, %t152 : (i32, !llvm.ptr, i32, i32, i32, i32, i32) -> ()
  %t161 = llvm.mlir.constant(1 : i32) : i32
  %t162 = llvm.add %t136, %t161 : i32
  %t163 = llvm.mlir.constant(6 : i32) : i32
  %t164 = llvm.icmp "eq" %t162, %t163 : i32
  %t165 = llvm.mlir.constant(0 : i32) : i32
  %t166 = llvm.mlir.constant(1 : i32) : i32
  %t167 = llvm.select %t164, %t166, %t165 : i1, i32
  %t168 = llvm.select %t164, %t165, %t162 : i1, i32
  %t169 = llvm.xor %t137, %t167 : i32
  %t170 = llvm.mlir.constant(1 : i32) : i32
  %t171 = llvm.add %t101, %t170 : i32
  llvm.br ^b10(%t171, %t168, %t169 : i32, i32, i32)
^b12:
  %t172 = llvm.mlir.constant(1 : i32) : i32
  %t173 = llvm.sub %t55, %t172 : i32
  %t174 = llvm.mlir.constant(128 : i32) : i32
  %t175 = llvm.mul %t173, %t174 : i32
  %t176 = llvm.add %t45, %t175 : i32
  %t177 = llvm.mlir.constant(1 : i32) : i32
  %t178 = llvm.xor %t103, %t177 : i32
  %t179 = llvm.mlir.constant(3 : i32) : i32
  %t180 = llvm.shl %t102, %t179 : i32
  %t181 = llvm.add %t22, %t180 : i32
  %t182 = llvm.mlir.constant(48 : i32) : i32
  %t183 = llvm.add %t181, %t182 : i32
  llvm.br ^b17
^b17:
  %t184 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t183, %t178 : (i32, i32) -> i32
  %t185 = llvm.mlir.constant(0 : i32) : i32
  %t186 = llvm.icmp "ne" %t184, %t185 : i32
  llvm.cond_br %t186, ^b18, ^b17
^b18:
  %t187 = llvm.mlir.constant(3 : i32) : i32
  %t188 = llvm.shl %t102, %t187 : i32
  %t189 = llvm.add %t22, %t188 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 16384;", "r,~{memory}" %t189 : (i32) -> ()
  %t190 = llvm.mlir.constant(16384 : i32) : i32
  %t191 = llvm.mul %t102, %t190 : i32
  %t192 = llvm.add %t18, %t191 : i32
  %t193 = llvm.trunc %t40 : i64 to i32
  %t194 = llvm.trunc %t41 : i64 to i32
  %t195 = llvm.mlir.constant(0 : i32) : i32
  %t196 = llvm.add %t192, %t195 : i32
  %t197 = llvm.mlir.constant(0 : i32) : i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3, $4, $5}], [$6];", "r,l,r,r,r,r,r,~{memory}" %t196, %map2, %t197, %t176, %t193, %t194, %t189 : (i32, !llvm.ptr, i32, i32, i32, i32, i32) -> ()
  %t198 = llvm.mlir.constant(1 : i32) : i32
  %t199 = llvm.add %t102, %t198 : i32
  %t200 = llvm.mlir.constant(6 : i32) : i32
  %t201 = llvm.icmp "eq" %t199, %t200 : i32
  %t202 = llvm.mlir.constant(0 : i32) : i32
  %t203 = llvm.mlir.constant(1 : i32) : i32
  %t204 = llvm.select %t201, %t203, %t202 : i1, i32
  %t205 = llvm.select %t201, %t202, %t199 : i1, i32
  %t206 = llvm.xor %t103, %t204 : i32
  llvm.br ^b7
^b7:
  llvm.br ^b5
^b4:
  llvm.inline_asm has_side_effects asm_dialect = att "setmaxnreg.inc.sync.aligned.u32 240;", "~{memory}"  : () -> ()
  %t207 = llvm.mlir.constant(64 : i32) : i32
  %t208 = llvm.mul %t3, %t207 : i32
  %t209 = llvm.mlir.constant(16 : i32) : i32
  %t210 = llvm.mul %t8, %t209 : i32
  %t211 = llvm.mlir.constant(2 : i32) : i32
  %t212 = llvm.lshr %t10, %t211 : i32
  %t213 = llvm.add %t212, %t210 : i32
  %t214 = llvm.add %t213, %t208 : i32
  %t215 = llvm.add %t214, %t39 : i32
  %t216 = llvm.mlir.constant(8 : i32) : i32
  %t217 = llvm.add %t215, %t216 : i32
  %t218 = llvm.mlir.constant(64 : i32) : i32
  %t219 = llvm.mlir.constant(0 : i32) : i32
  %t220 = llvm.intr.smin(%t215, %t218) : (i32, i32) -> i32
  %t221 = llvm.mlir.constant(0 : i32) : i32
  %t222 = llvm.mlir.constant(65 : i32) : i32
  %t223 = llvm.sub %t222, %t221 : i32
  %t224 = llvm.intr.smax(%t223, %t219) : (i32, i32) -> i32
  %t225 = llvm.intr.smin(%t217, %t218) : (i32, i32) -> i32
  %t226 = llvm.mlir.constant(0 : i32) : i32
  %t227 = llvm.mlir.constant(65 : i32) : i32
  %t228 = llvm.sub %t227, %t226 : i32
  %t229 = llvm.intr.smax(%t228, %t219) : (i32, i32) -> i32
  %t230 = llvm.mlir.constant(0 : i32) : i32
  %t231 = llvm.mlir.constant(96 : i32) : i32
  %t232 = llvm.add %t22, %t231 : i32
  llvm.br ^b19
^b19:
  %t233 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t232, %t230 : (i32, i32) -> i32
  %t234 = llvm.mlir.constant(0 : i32) : i32
  %t235 = llvm.icmp "ne" %t233, %t234 : i32
  llvm.cond_br %t235, ^b20, ^b19
^b20:
  %t236 = llvm.mlir.constant(8192 : i32) : i32
  %t237 = llvm.mul %t3, %t236 : i32
  %t238 = llvm.add %t16, %t237 : i32
  %t239 = llvm.mlir.constant(4611686293372403712 : i64) : i64
  %t240 = llvm.mlir.constant(4 : i32) : i32
  %t241 = llvm.lshr %t238, %t240 : i32
  %t242 = llvm.zext %t241 : i32 to i64
  %t243 = llvm.or %t239, %t242 : i64
  %t244 = llvm.mlir.constant(0 : i32) : i32
  %t245 = llvm.mlir.constant(3 : i32) : i32
  %t246 = llvm.shl %t244, %t245 : i32
  %t247 = llvm.add %t22, %t246 : i32
  llvm.br ^b21
^b21:
  %t248 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t247, %t244 : (i32, i32) -> i32
  %t249 = llvm.mlir.constant(0 : i32) : i32
  %t250 = llvm.icmp "ne" %t248, %t249 : i32
  llvm.cond_br %t250, ^b22, ^b21
^b22:
  %t251 = llvm.mlir.constant(16384 : i32) : i32
  %t252 = llvm.mul %t244, %t251 : i32
  %t253 = llvm.add %t18, %t252 : i32
  %t254 = llvm.mlir.constant(4611686293372403712 : i64) : i64
  %t255 = llvm.mlir.constant(4 : i32) : i32
  %t256 = llvm.lshr %t253, %t255 : i32
  %t257 = llvm.zext %t256 : i32 to i64
  %t258 = llvm.or %t254, %t257 : i64
  %t259 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred yes, no; .reg .b64 a, b; setp.eq.b32 yes, 0, 0; setp.ne.b32 no, 0, 0; wgmma.fence.sync.aligned; add.s64 b, $65, 0; add.s64 a, $64, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63}, a, b, no, 1, 1, 0, 0; add.s64 b, $65, 2; add.s64 a, $64, 2; wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63}, a, b, yes, 1, 1, 0, 0; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0; }", "=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,l,l,~{memory}" %t243, %t258 : (i64, i64) -> !sums64
  %t260 = llvm.extractvalue %t259[0] : !sums64
  %t261 = llvm.extractvalue %t259[1] : !sums64
  %t262 = llvm.extractvalue %t259[2] : !sums64
  %t263 = llvm.extractvalue %t259[3] : !sums64
  %t264 = llvm.extractvalue %t259[4] : !sums64
  %t265 = llvm.extractvalue %t259[5] : !sums64
  %t266 = llvm.extractvalue %t259[6] : !sums64
  %t267 = llvm.extractvalue %t259[7] : !sums64
  %t268 = llvm.extractvalue %t259[8] : !sums64
  %t269 = llvm.extractvalue %t259[9] : !sums64
  %t270 = llvm.extractvalue %t259[10] : !sums64
  %t271 = llvm.extractvalue %t259[11] : !sums64
  %t272 = llvm.extractvalue %t259[12] : !sums64
  %t273 = llvm.extractvalue %t259[13] : !sums64
  %t274 = llvm.extractvalue %t259[14] : !sums64
  %t275 = llvm.extractvalue %t259[15] : !sums64
  %t276 = llvm.extractvalue %t259[16] : !sums64
  %t277 = llvm.extractvalue %t259[17] : !sums64
  %t278 = llvm.extractvalue %t259[18] : !sums64
  %t279 = llvm.extractvalue %t259[19] : !sums64
  %t280 = llvm.extractvalue %t259[20] : !sums64
  %t281 = llvm.extractvalue %t259[21] : !sums64
  %t282 = llvm.extractvalue %t259[22] : !sums64
  %t283 = llvm.extractvalue %t259[23] : !sums64
  %t284 = llvm.extractvalue %t259[24] : !sums64
  %t285 = llvm.extractvalue %t259[25] : !sums64
  %t286 = llvm.extractvalue %t259[26] : !sums64
  %t287 = llvm.extractvalue %t259[27] : !sums64
  %t288 = llvm.extractvalue %t259[28] : !sums64
  %t289 = llvm.extractvalue %t259[29] : !sums64
  %t290 = llvm.extractvalue %t259[30] : !sums64
  %t291 = llvm.extractvalue %t259[31] : !sums64
  %t292 = llvm.extractvalue %t259[32] : !sums64
  %t293 = llvm.extractvalue %t259[33] : !sums64
  %t294 = llvm.extractvalue %t259[34] : !sums64
  %t295 = llvm.extractvalue %t259[35] : !sums64
  %t296 = llvm.extractvalue %t259[36] : !sums64
  %t297 = llvm.extractvalue %t259[37] : !sums64
  %t298 = llvm.extractvalue %t259[38] : !sums64
  %t299 = llvm.extractvalue %t259[39] : !sums64
  %t300 = llvm.extractvalue %t259[40] : !sums64
  %t301 = llvm.extractvalue %t259[41] : !sums64
  %t302 = llvm.extractvalue %t259[42] : !sums64
  %t303 = llvm.extractvalue %t259[43] : !sums64
  %t304 = llvm.extractvalue %t259[44] : !sums64
  %t305 = llvm.extractvalue %t259[45] : !sums64
  %t306 = llvm.extractvalue %t259[46] : !sums64
  %t307 = llvm.extractvalue %t259[47] : !sums64
  %t308 = llvm.extractvalue %t259[48] : !sums64
  %t309 = llvm.extractvalue %t259[49] : !sums64
  %t310 = llvm.extractvalue %t259[50] : !sums64
  %t311 = llvm.extractvalue %t259[51] : !sums64
  %t312 = llvm.extractvalue %t259[52] : !sums64
  %t313 = llvm.extractvalue %t259[53] : !sums64
  %t314 = llvm.extractvalue %t259[54] : !sums64
  %t315 = llvm.extractvalue %t259[55] : !sums64
  %t316 = llvm.extractvalue %t259[56] : !sums64
  %t317 = llvm.extractvalue %t259[57] : !sums64
  %t318 = llvm.extractvalue %t259[58] : !sums64
  %t319 = llvm.extractvalue %t259[59] : !sums64
  %t320 = llvm.extractvalue %t259[60] : !sums64
  %t321 = llvm.extractvalue %t259[61] : !sums64
  %t322 = llvm.extractvalue %t259[62] : !sums64
  %t323 = llvm.extractvalue %t259[63] : !sums64
  %t324 = llvm.mlir.constant(0 : i32) : i32
  %t325 = llvm.icmp "eq" %t10, %t324 : i32
  %t326 = llvm.zext %t325 : i1 to i32
  %t327 = llvm.mlir.constant(3 : i32) : i32
  %t328 = llvm.shl %t244, %t327 : i32
  %t329 = llvm.add %t22, %t328 : i32
  %t330 = llvm.mlir.constant(48 : i32) : i32
  %t331 = llvm.add %t329, %t330 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; setp.ne.b32 p, $1, 0; @p mbarrier.arrive.shared::cta.b64 _, [$0]; }", "r,r,~{memory}" %t331, %t326 : (i32, i32) -> ()
  %t332 = llvm.mlir.constant(1 : i32) : i32
  %t333 = llvm.add %t244, %t332 : i32
  %t334 = llvm.mlir.constant(6 : i32) : i32
  %t335 = llvm.icmp "eq" %t333, %t334 : i32
  %t336 = llvm.mlir.constant(0 : i32) : i32
  %t337 = llvm.mlir.constant(1 : i32) : i32
  %t338 = llvm.select %t335, %t337, %t336 : i1, i32
  %t339 = llvm.select %t335, %t336, %t333 : i1, i32
  %t340 = llvm.xor %t244, %t338 : i32
  %t341 = llvm.mlir.constant(0xFF800000 : f32) : f32
  %t342 = llvm.mlir.constant(0x00000000 : f32) : f32
  %t343 = llvm.mlir.constant(128 : i32) : i32
  %t344 = llvm.add %t45, %t343 : i32
  %t345 = llvm.icmp "slt" %t45, %t45 : i32
  %t346 = llvm.icmp "sgt" %t344, %t46 : i32
  %t347 = llvm.or %t345, %t346 : i1
  %t348 = llvm.mlir.constant(3 : i32) : i32
  %t349 = llvm.and %t10, %t348 : i32
  %t350 = llvm.mlir.constant(1 : i32) : i32
  %t351 = llvm.shl %t349, %t350 : i32
  llvm.cond_br %t347, ^b23, ^b24(%t260, %t261, %t262, %t263, %t264, %t265, %t266, %t267, %t268, %t269, %t270, %t271, %t272, %t273, %t274, %t275, %t276, %t277, %t278, %t279, %t280, %t281, %t282, %t283, %t284, %t285, %t286, %t287, %t288, %t289, %t290, %t291, %t292, %t293, %t294, %t295, %t296, %t297, %t298, %t299, %t300, %t301, %t302, %t303, %t304, %t305, %t306, %t307, %t308, %t309, %t310, %t311, %t312, %t313, %t314, %t315, %t316, %t317, %t318, %t319, %t320, %t321, %t322, %t323 : f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b23:
  %t352 = llvm.mlir.constant(0xFF800000 : f32) : f32
  %t353 = llvm.add %t45, %t351 : i32
  %t354 = llvm.sub %t353, %t221 : i32
  %t355 = llvm.sub %t353, %t226 : i32
  %t356 = llvm.mlir.constant(0 : i32) : i32
  %t357 = llvm.add %t354, %t356 : i32
  %t358 = llvm.icmp "ult" %t357, %t224 : i32
  %t359 = llvm.select %t358, %t260, %t352 : i1, f32
  %t360 = llvm.mlir.constant(1 : i32) : i32
  %t361 = llvm.add %t354, %t360 : i32
  %t362 = llvm.icmp "ult" %t361, %t224 : i32
  %t363 = llvm.select %t362, %t261, %t352 : i1, f32
  %t364 = llvm.mlir.constant(0 : i32) : i32
  %t365 = llvm.add %t355, %t364 : i32
  %t366 = llvm.icmp "ult" %t365, %t229 : i32
  %t367 = llvm.select %t366, %t262, %t352 : i1, f32
  %t368 = llvm.mlir.constant(1 : i32) : i32
  %t369 = llvm.add %t355, %t368 : i32
  %t370 = llvm.icmp "ult" %t369, %t229 : i32
  %t371 = llvm.select %t370, %t263, %t352 : i1, f32
  %t372 = llvm.mlir.constant(8 : i32) : i32
  %t373 = llvm.add %t354, %t372 : i32
  %t374 = llvm.icmp "ult" %t373, %t224 : i32
  %t375 = llvm.select %t374, %t264, %t352 : i1, f32
  %t376 = llvm.mlir.constant(9 : i32) : i32
  %t377 = llvm.add %t354, %t376 : i32
  %t378 = llvm.icmp "ult" %t377, %t224 : i32
  %t379 = llvm.select %t378, %t265, %t352 : i1, f32
  %t380 = llvm.mlir.constant(8 : i32) : i32
  %t381 = llvm.add %t355, %t380 : i32
  %t382 = llvm.icmp "ult" %t381, %t229 : i32
  %t383 = llvm.select %t382, %t266, %t352 : i1, f32
  %t384 = llvm.mlir.constant(9 : i32) : i32
  %t385 = llvm.add %t355, %t384 : i32
  %t386 = llvm.icmp "ult" %t385, %t229 : i32
  %t387 = llvm.select %t386, %t267, %t352 : i1, f32
  %t388 = llvm.mlir.constant(16 : i32) : i32
  %t389 = llvm.add %t354, %t388 : i32
  %t390 = llvm.icmp "ult" %t389, %t224 : i32
  %t391 = llvm.select %t390, %t268, %t352 : i1, f32
  %t392 = llvm.mlir.constant(17 : i32) : i32
  %t393 = llvm.add %t354, %t392 : i32
  %t394 = llvm.icmp "ult" %t393, %t224 : i32
  %t395 = llvm.select %t394, %t269, %t352 : i1, f32
  %t396 = llvm.mlir.constant(16 : i32) : i32
  %t397 = llvm.add %t355, %t396 : i32
  %t398 = llvm.icmp "ult" %t397, %t229 : i32
  %t399 = llvm.select %t398, %t270, %t352 : i1, f32
  %t400 = llvm.mlir.constant(17 : i32) : i32
  %t401 = llvm.add %t355, %t400 : i32
  %t402 = llvm.icmp "ult" %t401, %t229 : i32
  %t403 = llvm.select %t402, %t271, %t352 : i1, f32
  %t404 = llvm.mlir.constant(24 : i32) : i32
  %t405 = llvm.add %t354, %t404 : i32
  %t406 = llvm.icmp "ult" %t405, %t224 : i32
  %t407 = llvm.select %t406, %t272, %t352 : i1, f32
  %t408 = llvm.mlir.constant(25 : i32) : i32
  %t409 = llvm.add %t354, %t408 : i32
  %t410 = llvm.icmp "ult" %t409, %t224 : i32
  %t411 = llvm.select %t410, %t273, %t352 : i1, f32
  %t412 = llvm.mlir.constant(24 : i32) : i32
  %t413 = llvm.add %t355, %t412 : i32
  %t414 = llvm.icmp "ult" %t413, %t229 : i32
  %t415 = llvm.select %t414, %t274, %t352 : i1, f32
  %t416 = llvm.mlir.constant(25 : i32) : i32
  %t417 = llvm.add %t355, %t416 : i32
  %t418 = llvm.icmp "ult" %t417, %t229 : i32
  %t419 = llvm.select %t418, %t275, %t352 : i1, f32
  %t420 = llvm.mlir.constant(32 : i32) : i32
  %t421 = llvm.add %t354, %t420 : i32
  %t422 = llvm.icmp "ult" %t421, %t224 : i32
  %t423 = llvm.select %t422, %t276, %t352 : i1, f32
  %t424 = llvm.mlir.constant(33 : i32) : i32
  %t425 = llvm.add %t354, %t424 : i32
  %t426 = llvm.icmp "ult" %t425, %t224 : i32
  %t427 = llvm.select %t426, %t277, %t352 : i1, f32
  %t428 = llvm.mlir.constant(32 : i32) : i32
  %t429 = llvm.add %t355, %t428 : i32
  %t430 = llvm.icmp "ult" %t429, %t229 : i32
  %t431 = llvm.select %t430, %t278, %t352 : i1, f32
  %t432 = llvm.mlir.constant(33 : i32) : i32
  %t433 = llvm.add %t355, %t432 : i32
  %t434 = llvm.icmp "ult" %t433, %t229 : i32
  %t435 = llvm.select %t434, %t279, %t352 : i1, f32
  %t436 = llvm.mlir.constant(40 : i32) : i32
  %t437 = llvm.add %t354, %t436 : i32
  %t438 = llvm.icmp "ult" %t437, %t224 : i32
  %t439 = llvm.select %t438, %t280, %t352 : i1, f32
  %t440 = llvm.mlir.constant(41 : i32) : i32
  %t441 = llvm.add %t354, %t440 : i32
  %t442 = llvm.icmp "ult" %t441, %t224 : i32
  %t443 = llvm.select %t442, %t281, %t352 : i1, f32
  %t444 = llvm.mlir.constant(40 : i32) : i32
  %t445 = llvm.add %t355, %t444 : i32
  %t446 = llvm.icmp "ult" %t445, %t229 : i32
  %t447 = llvm.select %t446, %t282, %t352 : i1, f32
  %t448 = llvm.mlir.constant(41 : i32) : i32
  %t449 = llvm.add %t355, %t448 : i32
  %t450 = llvm.icmp "ult" %t449, %t229 : i32
  %t451 = llvm.select %t450, %t283, %t352 : i1, f32
  %t452 = llvm.mlir.constant(48 : i32) : i32
  %t453 = llvm.add %t354, %t452 : i32
  %t454 = llvm.icmp "ult" %t453, %t224 : i32
  %t455 = llvm.select %t454, %t284, %t352 : i1, f32
  %t456 = llvm.mlir.constant(49 : i32) : i32
  %t457 = llvm.add %t354, %t456 : i32
  %t458 = llvm.icmp "ult" %t457, %t224 : i32
  %t459 = llvm.select %t458, %t285, %t352 : i1, f32
  %t460 = llvm.mlir.constant(48 : i32) : i32
  %t461 = llvm.add %t355, %t460 : i32
  %t462 = llvm.icmp "ult" %t461, %t229 : i32
  %t463 = llvm.select %t462, %t286, %t352 : i1, f32
  %t464 = llvm.mlir.constant(49 : i32) : i32
  %t465 = llvm.add %t355, %t464 : i32
  %t466 = llvm.icmp "ult" %t465, %t229 : i32
  %t467 = llvm.select %t466, %t287, %t352 : i1, f32
  %t468 = llvm.mlir.constant(56 : i32) : i32
  %t469 = llvm.add %t354, %t468 : i32
  %t470 = llvm.icmp "ult" %t469, %t224 : i32
  %t471 = llvm.select %t470, %t288, %t352 : i1, f32
  %t472 = llvm.mlir.constant(57 : i32) : i32
  %t473 = llvm.add %t354, %t472 : i32
  %t474 = llvm.icmp "ult" %t473, %t224 : i32
  %t475 = llvm.select %t474, %t289, %t352 : i1, f32
  %t476 = llvm.mlir.constant(56 : i32) : i32
  %t477 = llvm.add %t355, %t476 : i32
  %t478 = llvm.icmp "ult" %t477, %t229 : i32
  %t479 = llvm.select %t478, %t290, %t352 : i1, f32
  %t480 = llvm.mlir.constant(57 : i32) : i32
  %t481 = llvm.add %t355, %t480 : i32
  %t482 = llvm.icmp "ult" %t481, %t229 : i32
  %t483 = llvm.select %t482, %t291, %t352 : i1, f32
  %t484 = llvm.mlir.constant(64 : i32) : i32
  %t485 = llvm.add %t354, %t484 : i32
  %t486 = llvm.icmp "ult" %t485, %t224 : i32
  %t487 = llvm.select %t486, %t292, %t352 : i1, f32
  %t488 = llvm.mlir.constant(65 : i32) : i32
  %t489 = llvm.add %t354, %t488 : i32
  %t490 = llvm.icmp "ult" %t489, %t224 : i32
  %t491 = llvm.select %t490, %t293, %t352 : i1, f32
  %t492 = llvm.mlir.constant(64 : i32) : i32
  %t493 = llvm.add %t355, %t492 : i32
  %t494 = llvm.icmp "ult" %t493, %t229 : i32
  %t495 = llvm.select %t494, %t294, %t352 : i1, f32
  %t496 = llvm.mlir.constant(65 : i32) : i32
  %t497 = llvm.add %t355, %t496 : i32
  %t498 = llvm.icmp "ult" %t497, %t229 : i32
  %t499 = llvm.select %t498, %t295, %t352 : i1, f32
  %t500 = llvm.mlir.constant(72 : i32) : i32
  %t501 = llvm.add %t354, %t500 : i32
  %t502 = llvm.icmp "ult" %t501, %t224 : i32
  %t503 = llvm.select %t502, %t296, %t352 : i1, f32
  %t504 = llvm.mlir.constant(73 : i32) : i32
  %t505 = llvm.add %t354, %t504 : i32
  %t506 = llvm.icmp "ult" %t505, %t224 : i32
  %t507 = llvm.select %t506, %t297, %t352 : i1, f32
  %t508 = llvm.mlir.constant(72 : i32) : i32
  %t509 = llvm.add %t355, %t508 : i32
  %t510 = llvm.icmp "ult" %t509, %t229 : i32
  %t511 = llvm.select %t510, %t298, %t352 : i1, f32
  %t512 = llvm.mlir.constant(73 : i32) : i32
  %t513 = llvm.add %t355, %t512 : i32
  %t514 = llvm.icmp "ult" %t513, %t229 : i32
  %t515 = llvm.select %t514, %t299, %t352 : i1, f32
  %t516 = llvm.mlir.constant(80 : i32) : i32
  %t517 = llvm.add %t354, %t516 : i32
  %t518 = llvm.icmp "ult" %t517, %t224 : i32
  %t519 = llvm.select %t518, %t300, %t352 : i1, f32
  %t520 = llvm.mlir.constant(81 : i32) : i32
  %t521 = llvm.add %t354, %t520 : i32
  %t522 = llvm.icmp "ult" %t521, %t224 : i32
  %t523 = llvm.select %t522, %t301, %t352 : i1, f32
  %t524 = llvm.mlir.constant(80 : i32) : i32
  %t525 = llvm.add %t355, %t524 : i32
  %t526 = llvm.icmp "ult" %t525, %t229 : i32
  %t527 = llvm.select %t526, %t302, %t352 : i1, f32
  %t528 = llvm.mlir.constant(81 : i32) : i32
  %t529 = llvm.add %t355, %t528 : i32
  %t530 = llvm.icmp "ult" %t529, %t229 : i32
  %t531 = llvm.select %t530, %t303, %t352 : i1, f32
  %t532 = llvm.mlir.constant(88 : i32) : i32
  %t533 = llvm.add %t354, %t532 : i32
  %t534 = llvm.icmp "ult" %t533, %t224 : i32
  %t535 = llvm.select %t534, %t304, %t352 : i1, f32
  %t536 = llvm.mlir.constant(89 : i32) : i32
  %t537 = llvm.add %t354, %t536 : i32
  %t538 = llvm.icmp "ult" %t537, %t224 : i32
  %t539 = llvm.select %t538, %t305, %t352 : i1, f32
  %t540 = llvm.mlir.constant(88 : i32) : i32
  %t541 = llvm.add %t355, %t540 : i32
  %t542 = llvm.icmp "ult" %t541, %t229 : i32
  %t543 = llvm.select %t542, %t306, %t352 : i1, f32
  %t544 = llvm.mlir.constant(89 : i32) : i32
  %t545 = llvm.add %t355, %t544 : i32
  %t546 = llvm.icmp "ult" %t545, %t229 : i32
  %t547 = llvm.select %t546, %t307, %t352 : i1, f32
  %t548 = llvm.mlir.constant(96 : i32) : i32
  %t549 = llvm.add %t354, %t548 : i32
  %t550 = llvm.icmp "ult" %t549, %t224 : i32
  %t551 = llvm.select %t550, %t308, %t352 : i1, f32
  %t552 = llvm.mlir.constant(97 : i32) : i32
  %t553 = llvm.add %t354, %t552 : i32
  %t554 = llvm.icmp "ult" %t553, %t224 : i32
  %t555 = llvm.select %t554, %t309, %t352 : i1, f32
  %t556 = llvm.mlir.constant(96 : i32) : i32
  %t557 = llvm.add %t355, %t556 : i32
  %t558 = llvm.icmp "ult" %t557, %t229 : i32
  %t559 = llvm.select %t558, %t310, %t352 : i1, f32
  %t560 = llvm.mlir.constant(97 : i32) : i32
  %t561 = llvm.add %t355, %t560 : i32
  %t562 = llvm.icmp "ult" %t561, %t229 : i32
  %t563 = llvm.select %t562, %t311, %t352 : i1, f32
  %t564 = llvm.mlir.constant(104 : i32) : i32
  %t565 = llvm.add %t354, %t564 : i32
  %t566 = llvm.icmp "ult" %t565, %t224 : i32
  %t567 = llvm.select %t566, %t312, %t352 : i1, f32
  %t568 = llvm.mlir.constant(105 : i32) : i32
  %t569 = llvm.add %t354, %t568 : i32
  %t570 = llvm.icmp "ult" %t569, %t224 : i32
  %t571 = llvm.select %t570, %t313, %t352 : i1, f32
  %t572 = llvm.mlir.constant(104 : i32) : i32
  %t573 = llvm.add %t355, %t572 : i32
  %t574 = llvm.icmp "ult" %t573, %t229 : i32
  %t575 = llvm.select %t574, %t314, %t352 : i1, f32
  %t576 = llvm.mlir.constant(105 : i32) : i32
  %t577 = llvm.add %t355, %t576 : i32
  %t578 = llvm.icmp "ult" %t577, %t229 : i32
  %t579 = llvm.select %t578, %t315, %t352 : i1, f32
  %t580 = llvm.mlir.constant(112 : i32) : i32
  %t581 = llvm.add %t354, %t580 : i32
  %t582 = llvm.icmp "ult" %t581, %t224 : i32
  %t583 = llvm.select %t582, %t316, %t352 : i1, f32
  %t584 = llvm.mlir.constant(113 : i32) : i32
  %t585 = llvm.add %t354, %t584 : i32
  %t586 = llvm.icmp "ult" %t585, %t224 : i32
  %t587 = llvm.select %t586, %t317, %t352 : i1, f32
  %t588 = llvm.mlir.constant(112 : i32) : i32
  %t589 = llvm.add %t355, %t588 : i32
  %t590 = llvm.icmp "ult" %t589, %t229 : i32
  %t591 = llvm.select %t590, %t318, %t352 : i1, f32
  %t592 = llvm.mlir.constant(113 : i32) : i32
  %t593 = llvm.add %t355, %t592 : i32
  %t594 = llvm.icmp "ult" %t593, %t229 : i32
  %t595 = llvm.select %t594, %t319, %t352 : i1, f32
  %t596 = llvm.mlir.constant(120 : i32) : i32
  %t597 = llvm.add %t354, %t596 : i32
  %t598 = llvm.icmp "ult" %t597, %t224 : i32
  %t599 = llvm.select %t598, %t320, %t352 : i1, f32
  %t600 = llvm.mlir.constant(121 : i32) : i32
  %t601 = llvm.add %t354, %t600 : i32
  %t602 = llvm.icmp "ult" %t601, %t224 : i32
  %t603 = llvm.select %t602, %t321, %t352 : i1, f32
  %t604 = llvm.mlir.constant(120 : i32) : i32
  %t605 = llvm.add %t355, %t604 : i32
  %t606 = llvm.icmp "ult" %t605, %t229 : i32
  %t607 = llvm.select %t606, %t322, %t352 : i1, f32
  %t608 = llvm.mlir.constant(121 : i32) : i32
  %t609 = llvm.add %t355, %t608 : i32
  %t610 = llvm.icmp "ult" %t609, %t229 : i32
  %t611 = llvm.select %t610, %t323, %t352 : i1, f32
  llvm.br ^b24(%t359, %t363, %t367, %t371, %t375, %t379, %t383, %t387, %t391, %t395, %t399, %t403, %t407, %t411, %t415, %t419, %t423, %t427, %t431, %t435, %t439, %t443, %t447, %t451, %t455, %t459, %t463, %t467, %t471, %t475, %t479, %t483, %t487, %t491, %t495, %t499, %t503, %t507, %t511, %t515, %t519, %t523, %t527, %t531, %t535, %t539, %t543, %t547, %t551, %t555, %t559, %t563, %t567, %t571, %t575, %t579, %t583, %t587, %t591, %t595, %t599, %t603, %t607, %t611 : f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b24(%t612: f32, %t613: f32, %t614: f32, %t615: f32, %t616: f32, %t617: f32, %t618: f32, %t619: f32, %t620: f32, %t621: f32, %t622: f32, %t623: f32, %t624: f32, %t625: f32, %t626: f32, %t627: f32, %t628: f32, %t629: f32, %t630: f32, %t631: f32, %t632: f32, %t633: f32, %t634: f32, %t635: f32, %t636: f32, %t637: f32, %t638: f32, %t639: f32, %t640: f32, %t641: f32, %t642: f32, %t643: f32, %t644: f32, %t645: f32, %t646: f32, %t647: f32, %t648: f32, %t649: f32, %t650: f32, %t651: f32, %t652: f32, %t653: f32, %t654: f32, %t655: f32, %t656: f32, %t657: f32, %t658: f32, %t659: f32, %t660: f32, %t661: f32, %t662: f32, %t663: f32, %t664: f32, %t665: f32, %t666: f32, %t667: f32, %t668: f32, %t669: f32, %t670: f32, %t671: f32, %t672: f32, %t673: f32, %t674: f32, %t675: f32):
  %t676 = llvm.mlir.constant(0x3E8293EE : f32) : f32
  %t677 = llvm.mlir.constant(0xBE8293EE : f32) : f32
  %t678 = llvm.mlir.constant(0xFF800000 : f32) : f32
  %t679 = llvm.mlir.constant(0x00000000 : f32) : f32
  %t680 = llvm.intr.maxnum(%t612, %t613) : (f32, f32) -> f32
  %t681 = llvm.intr.maxnum(%t616, %t617) : (f32, f32) -> f32
  %t682 = llvm.intr.maxnum(%t620, %t621) : (f32, f32) -> f32
  %t683 = llvm.intr.maxnum(%t624, %t625) : (f32, f32) -> f32
  %t684 = llvm.intr.maxnum(%t628, %t629) : (f32, f32) -> f32
  %t685 = llvm.intr.maxnum(%t632, %t633) : (f32, f32) -> f32
  %t686 = llvm.intr.maxnum(%t636, %t637) : (f32, f32) -> f32
  %t687 = llvm.intr.maxnum(%t640, %t641) : (f32, f32) -> f32
  %t688 = llvm.intr.maxnum(%t644, %t645) : (f32, f32) -> f32
  %t689 = llvm.intr.maxnum(%t648, %t649) : (f32, f32) -> f32
  %t690 = llvm.intr.maxnum(%t652, %t653) : (f32, f32) -> f32
  %t691 = llvm.intr.maxnum(%t656, %t657) : (f32, f32) -> f32
  %t692 = llvm.intr.maxnum(%t660, %t661) : (f32, f32) -> f32
  %t693 = llvm.intr.maxnum(%t664, %t665) : (f32, f32) -> f32
  %t694 = llvm.intr.maxnum(%t668, %t669) : (f32, f32) -> f32
  %t695 = llvm.intr.maxnum(%t672, %t673) : (f32, f32) -> f32
  %t696 = llvm.intr.maxnum(%t680, %t681) : (f32, f32) -> f32
  %t697 = llvm.intr.maxnum(%t682, %t683) : (f32, f32) -> f32
  %t698 = llvm.intr.maxnum(%t684, %t685) : (f32, f32) -> f32
  %t699 = llvm.intr.maxnum(%t686, %t687) : (f32, f32) -> f32
  %t700 = llvm.intr.maxnum(%t688, %t689) : (f32, f32) -> f32
  %t701 = llvm.intr.maxnum(%t690, %t691) : (f32, f32) -> f32
  %t702 = llvm.intr.maxnum(%t692, %t693) : (f32, f32) -> f32
  %t703 = llvm.intr.maxnum(%t694, %t695) : (f32, f32) -> f32
  %t704 = llvm.intr.maxnum(%t696, %t697) : (f32, f32) -> f32
  %t705 = llvm.intr.maxnum(%t698, %t699) : (f32, f32) -> f32
  %t706 = llvm.intr.maxnum(%t700, %t701) : (f32, f32) -> f32
  %t707 = llvm.intr.maxnum(%t702, %t703) : (f32, f32) -> f32
  %t708 = llvm.intr.maxnum(%t704, %t705) : (f32, f32) -> f32
  %t709 = llvm.intr.maxnum(%t706, %t707) : (f32, f32) -> f32
  %t710 = llvm.intr.maxnum(%t708, %t709) : (f32, f32) -> f32
  %t711 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 1, 31, -1;", "=f,f,~{memory}" %t710 : (f32) -> f32
  %t712 = llvm.intr.maxnum(%t710, %t711) : (f32, f32) -> f32
  %t713 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 2, 31, -1;", "=f,f,~{memory}" %t712 : (f32) -> f32
  %t714 = llvm.intr.maxnum(%t712, %t713) : (f32, f32) -> f32
  %t715 = llvm.intr.maxnum(%t714, %t341) : (f32, f32) -> f32
  %t716 = llvm.fcmp "oeq" %t715, %t678 : f32
  %t717 = llvm.select %t716, %t679, %t715 : i1, f32
  %t718 = llvm.fmul %t717, %t677 : f32
  %t719 = llvm.intr.fma(%t341, %t676, %t718) : (f32, f32, f32) -> f32
  %t720 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t719 : (f32) -> f32
  %t721 = llvm.intr.fma(%t612, %t676, %t718) : (f32, f32, f32) -> f32
  %t722 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t721 : (f32) -> f32
  %t723 = llvm.intr.fma(%t613, %t676, %t718) : (f32, f32, f32) -> f32
  %t724 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t723 : (f32) -> f32
  %t725 = llvm.intr.fma(%t616, %t676, %t718) : (f32, f32, f32) -> f32
  %t726 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t725 : (f32) -> f32
  %t727 = llvm.intr.fma(%t617, %t676, %t718) : (f32, f32, f32) -> f32
  %t728 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t727 : (f32) -> f32
  %t729 = llvm.intr.fma(%t620, %t676, %t718) : (f32, f32, f32) -> f32
  %t730 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t729 : (f32) -> f32
  %t731 = llvm.intr.fma(%t621, %t676, %t718) : (f32, f32, f32) -> f32
  %t732 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t731 : (f32) -> f32
  %t733 = llvm.intr.fma(%t624, %t676, %t718) : (f32, f32, f32) -> f32
  %t734 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t733 : (f32) -> f32
  %t735 = llvm.intr.fma(%t625, %t676, %t718) : (f32, f32, f32) -> f32
  %t736 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t735 : (f32) -> f32
  %t737 = llvm.intr.fma(%t628, %t676, %t718) : (f32, f32, f32) -> f32
  %t738 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t737 : (f32) -> f32
  %t739 = llvm.intr.fma(%t629, %t676, %t718) : (f32, f32, f32) -> f32
  %t740 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t739 : (f32) -> f32
  %t741 = llvm.intr.fma(%t632, %t676, %t718) : (f32, f32, f32) -> f32
  %t742 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t741 : (f32) -> f32
  %t743 = llvm.intr.fma(%t633, %t676, %t718) : (f32, f32, f32) -> f32
  %t744 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t743 : (f32) -> f32
  %t745 = llvm.intr.fma(%t636, %t676, %t718) : (f32, f32, f32) -> f32
  %t746 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t745 : (f32) -> f32
  %t747 = llvm.intr.fma(%t637, %t676, %t718) : (f32, f32, f32) -> f32
  %t748 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t747 : (f32) -> f32
  %t749 = llvm.intr.fma(%t640, %t676, %t718) : (f32, f32, f32) -> f32
  %t750 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t749 : (f32) -> f32
  %t751 = llvm.intr.fma(%t641, %t676, %t718) : (f32, f32, f32) -> f32
  %t752 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t751 : (f32) -> f32
  %t753 = llvm.intr.fma(%t644, %t676, %t718) : (f32, f32, f32) -> f32
  %t754 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t753 : (f32) -> f32
  %t755 = llvm.intr.fma(%t645, %t676, %t718) : (f32, f32, f32) -> f32
  %t756 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t755 : (f32) -> f32
  %t757 = llvm.intr.fma(%t648, %t676, %t718) : (f32, f32, f32) -> f32
  %t758 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t757 : (f32) -> f32
  %t759 = llvm.intr.fma(%t649, %t676, %t718) : (f32, f32, f32) -> f32
  %t760 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t759 : (f32) -> f32
  %t761 = llvm.intr.fma(%t652, %t676, %t718) : (f32, f32, f32) -> f32
  %t762 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t761 : (f32) -> f32
  %t763 = llvm.intr.fma(%t653, %t676, %t718) : (f32, f32, f32) -> f32
  %t764 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t763 : (f32) -> f32
  %t765 = llvm.intr.fma(%t656, %t676, %t718) : (f32, f32, f32) -> f32
  %t766 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t765 : (f32) -> f32
  %t767 = llvm.intr.fma(%t657, %t676, %t718) : (f32, f32, f32) -> f32
  %t768 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t767 : (f32) -> f32
  %t769 = llvm.intr.fma(%t660, %t676, %t718) : (f32, f32, f32) -> f32
  %t770 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t769 : (f32) -> f32
  %t771 = llvm.intr.fma(%t661, %t676, %t718) : (f32, f32, f32) -> f32
  %t772 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t771 : (f32) -> f32
  %t773 = llvm.intr.fma(%t664, %t676, %t718) : (f32, f32, f32) -> f32
  %t774 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t773 : (f32) -> f32
  %t775 = llvm.intr.fma(%t665, %t676, %t718) : (f32, f32, f32) -> f32
  %t776 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t775 : (f32) -> f32
  %t777 = llvm.intr.fma(%t668, %t676, %t718) : (f32, f32, f32) -> f32
  %t778 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t777 : (f32) -> f32
  %t779 = llvm.intr.fma(%t669, %t676, %t718) : (f32, f32, f32) -> f32
  %t780 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t779 : (f32) -> f32
  %t781 = llvm.intr.fma(%t672, %t676, %t718) : (f32, f32, f32) -> f32
  %t782 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t781 : (f32) -> f32
  %t783 = llvm.intr.fma(%t673, %t676, %t718) : (f32, f32, f32) -> f32
  %t784 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t783 : (f32) -> f32
  %t785 = llvm.fadd %t722, %t724 : f32
  %t786 = llvm.fadd %t726, %t728 : f32
  %t787 = llvm.fadd %t730, %t732 : f32
  %t788 = llvm.fadd %t734, %t736 : f32
  %t789 = llvm.fadd %t738, %t740 : f32
  %t790 = llvm.fadd %t742, %t744 : f32
  %t791 = llvm.fadd %t746, %t748 : f32
  %t792 = llvm.fadd %t750, %t752 : f32
  %t793 = llvm.fadd %t754, %t756 : f32
  %t794 = llvm.fadd %t758, %t760 : f32
  %t795 = llvm.fadd %t762, %t764 : f32
  %t796 = llvm.fadd %t766, %t768 : f32
  %t797 = llvm.fadd %t770, %t772 : f32
  %t798 = llvm.fadd %t774, %t776 : f32
  %t799 = llvm.fadd %t778, %t780 : f32
  %t800 = llvm.fadd %t782, %t784 : f32
  %t801 = llvm.fadd %t785, %t786 : f32
  %t802 = llvm.fadd %t787, %t788 : f32
  %t803 = llvm.fadd %t789, %t790 : f32
  %t804 = llvm.fadd %t791, %t792 : f32
  %t805 = llvm.fadd %t793, %t794 : f32
  %t806 = llvm.fadd %t795, %t796 : f32
  %t807 = llvm.fadd %t797, %t798 : f32
  %t808 = llvm.fadd %t799, %t800 : f32
  %t809 = llvm.fadd %t801, %t802 : f32
  %t810 = llvm.fadd %t803, %t804 : f32
  %t811 = llvm.fadd %t805, %t806 : f32
  %t812 = llvm.fadd %t807, %t808 : f32
  %t813 = llvm.fadd %t809, %t810 : f32
  %t814 = llvm.fadd %t811, %t812 : f32
  %t815 = llvm.fadd %t813, %t814 : f32
  %t816 = llvm.intr.fma(%t342, %t720, %t815) : (f32, f32, f32) -> f32
  %t817 = llvm.intr.maxnum(%t614, %t615) : (f32, f32) -> f32
  %t818 = llvm.intr.maxnum(%t618, %t619) : (f32, f32) -> f32
  %t819 = llvm.intr.maxnum(%t622, %t623) : (f32, f32) -> f32
  %t820 = llvm.intr.maxnum(%t626, %t627) : (f32, f32) -> f32
  %t821 = llvm.intr.maxnum(%t630, %t631) : (f32, f32) -> f32
  %t822 = llvm.intr.maxnum(%t634, %t635) : (f32, f32) -> f32
  %t823 = llvm.intr.maxnum(%t638, %t639) : (f32, f32) -> f32
  %t824 = llvm.intr.maxnum(%t642, %t643) : (f32, f32) -> f32
  %t825 = llvm.intr.maxnum(%t646, %t647) : (f32, f32) -> f32
  %t826 = llvm.intr.maxnum(%t650, %t651) : (f32, f32) -> f32
  %t827 = llvm.intr.maxnum(%t654, %t655) : (f32, f32) -> f32
  %t828 = llvm.intr.maxnum(%t658, %t659) : (f32, f32) -> f32
  %t829 = llvm.intr.maxnum(%t662, %t663) : (f32, f32) -> f32
  %t830 = llvm.intr.maxnum(%t666, %t667) : (f32, f32) -> f32
  %t831 = llvm.intr.maxnum(%t670, %t671) : (f32, f32) -> f32
  %t832 = llvm.intr.maxnum(%t674, %t675) : (f32, f32) -> f32
  %t833 = llvm.intr.maxnum(%t817, %t818) : (f32, f32) -> f32
  %t834 = llvm.intr.maxnum(%t819, %t820) : (f32, f32) -> f32
  %t835 = llvm.intr.maxnum(%t821, %t822) : (f32, f32) -> f32
  %t836 = llvm.intr.maxnum(%t823, %t824) : (f32, f32) -> f32
  %t837 = llvm.intr.maxnum(%t825, %t826) : (f32, f32) -> f32
  %t838 = llvm.intr.maxnum(%t827, %t828) : (f32, f32) -> f32
  %t839 = llvm.intr.maxnum(%t829, %t830) : (f32, f32) -> f32
  %t840 = llvm.intr.maxnum(%t831, %t832) : (f32, f32) -> f32
  %t841 = llvm.intr.maxnum(%t833, %t834) : (f32, f32) -> f32
  %t842 = llvm.intr.maxnum(%t835, %t836) : (f32, f32) -> f32
  %t843 = llvm.intr.maxnum(%t837, %t838) : (f32, f32) -> f32
  %t844 = llvm.intr.maxnum(%t839, %t840) : (f32, f32) -> f32
  %t845 = llvm.intr.maxnum(%t841, %t842) : (f32, f32) -> f32
  %t846 = llvm.intr.maxnum(%t843, %t844) : (f32, f32) -> f32
  %t847 = llvm.intr.maxnum(%t845, %t846) : (f32, f32) -> f32
  %t848 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 1, 31, -1;", "=f,f,~{memory}" %t847 : (f32) -> f32
  %t849 = llvm.intr.maxnum(%t847, %t848) : (f32, f32) -> f32
  %t850 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 2, 31, -1;", "=f,f,~{memory}" %t849 : (f32) -> f32
  %t851 = llvm.intr.maxnum(%t849, %t850) : (f32, f32) -> f32
  %t852 = llvm.intr.maxnum(%t851, %t341) : (f32, f32) -> f32
  %t853 = llvm.fcmp "oeq" %t852, %t678 : f32
  %t854 = llvm.select %t853, %t679, %t852 : i1, f32
  %t855 = llvm.fmul %t854, %t677 : f32
  %t856 = llvm.intr.fma(%t341, %t676, %t855) : (f32, f32, f32) -> f32
  %t857 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t856 : (f32) -> f32
  %t858 = llvm.intr.fma(%t614, %t676, %t855) : (f32, f32, f32) -> f32
  %t859 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t858 : (f32) -> f32
  %t860 = llvm.intr.fma(%t615, %t676, %t855) : (f32, f32, f32) -> f32
  %t861 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t860 : (f32) -> f32
  %t862 = llvm.intr.fma(%t618, %t676, %t855) : (f32, f32, f32) -> f32
  %t863 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t862 : (f32) -> f32
  %t864 = llvm.intr.fma(%t619, %t676, %t855) : (f32, f32, f32) -> f32
  %t865 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t864 : (f32) -> f32
  %t866 = llvm.intr.fma(%t622, %t676, %t855) : (f32, f32, f32) -> f32
  %t867 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t866 : (f32) -> f32
  %t868 = llvm.intr.fma(%t623, %t676, %t855) : (f32, f32, f32) -> f32
  %t869 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t868 : (f32) -> f32
  %t870 = llvm.intr.fma(%t626, %t676, %t855) : (f32, f32, f32) -> f32
  %t871 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t870 : (f32) -> f32
  %t872 = llvm.intr.fma(%t627, %t676, %t855) : (f32, f32, f32) -> f32
  %t873 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t872 : (f32) -> f32
  %t874 = llvm.intr.fma(%t630, %t676, %t855) : (f32, f32, f32) -> f32
  %t875 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t874 : (f32) -> f32
  %t876 = llvm.intr.fma(%t631, %t676, %t855) : (f32, f32, f32) -> f32
  %t877 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t876 : (f32) -> f32
  %t878 = llvm.intr.fma(%t634, %t676, %t855) : (f32, f32, f32) -> f32
  %t879 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t878 : (f32) -> f32
  %t880 = llvm.intr.fma(%t635, %t676, %t855) : (f32, f32, f32) -> f32
  %t881 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t880 : (f32) -> f32
  %t882 = llvm.intr.fma(%t638, %t676, %t855) : (f32, f32, f32) -> f32
  %t883 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t882 : (f32) -> f32
  %t884 = llvm.intr.fma(%t639, %t676, %t855) : (f32, f32, f32) -> f32
  %t885 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t884 : (f32) -> f32
  %t886 = llvm.intr.fma(%t642, %t676, %t855) : (f32, f32, f32) -> f32
  %t887 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t886 : (f32) -> f32
  %t888 = llvm.intr.fma(%t643, %t676, %t855) : (f32, f32, f32) -> f32
  %t889 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t888 : (f32) -> f32
  %t890 = llvm.intr.fma(%t646, %t676, %t855) : (f32, f32, f32) -> f32
  %t891 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t890 : (f32) -> f32
  %t892 = llvm.intr.fma(%t647, %t676, %t855) : (f32, f32, f32) -> f32
  %t893 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t892 : (f32) -> f32
  %t894 = llvm.intr.fma(%t650, %t676, %t855) : (f32, f32, f32) -> f32
  %t895 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t894 : (f32) -> f32
  %t896 = llvm.intr.fma(%t651, %t676, %t855) : (f32, f32, f32) -> f32
  %t897 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t896 : (f32) -> f32
  %t898 = llvm.intr.fma(%t654, %t676, %t855) : (f32, f32, f32) -> f32
  %t899 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t898 : (f32) -> f32
  %t900 = llvm.intr.fma(%t655, %t676, %t855) : (f32, f32, f32) -> f32
  %t901 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t900 : (f32) -> f32
  %t902 = llvm.intr.fma(%t658, %t676, %t855) : (f32, f32, f32) -> f32
  %t903 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t902 : (f32) -> f32
  %t904 = llvm.intr.fma(%t659, %t676, %t855) : (f32, f32, f32) -> f32
  %t905 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t904 : (f32) -> f32
  %t906 = llvm.intr.fma(%t662, %t676, %t855) : (f32, f32, f32) -> f32
  %t907 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t906 : (f32) -> f32
  %t908 = llvm.intr.fma(%t663, %t676, %t855) : (f32, f32, f32) -> f32
  %t909 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t908 : (f32) -> f32
  %t910 = llvm.intr.fma(%t666, %t676, %t855) : (f32, f32, f32) -> f32
  %t911 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t910 : (f32) -> f32
  %t912 = llvm.intr.fma(%t667, %t676, %t855) : (f32, f32, f32) -> f32
  %t913 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t912 : (f32) -> f32
  %t914 = llvm.intr.fma(%t670, %t676, %t855) : (f32, f32, f32) -> f32
  %t915 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t914 : (f32) -> f32
  %t916 = llvm.intr.fma(%t671, %t676, %t855) : (f32, f32, f32) -> f32
  %t917 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t916 : (f32) -> f32
  %t918 = llvm.intr.fma(%t674, %t676, %t855) : (f32, f32, f32) -> f32
  %t919 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t918 : (f32) -> f32
  %t920 = llvm.intr.fma(%t675, %t676, %t855) : (f32, f32, f32) -> f32
  %t921 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t920 : (f32) -> f32
  %t922 = llvm.fadd %t859, %t861 : f32
  %t923 = llvm.fadd %t863, %t865 : f32
  %t924 = llvm.fadd %t867, %t869 : f32
  %t925 = llvm.fadd %t871, %t873 : f32
  %t926 = llvm.fadd %t875, %t877 : f32
  %t927 = llvm.fadd %t879, %t881 : f32
  %t928 = llvm.fadd %t883, %t885 : f32
  %t929 = llvm.fadd %t887, %t889 : f32
  %t930 = llvm.fadd %t891, %t893 : f32
  %t931 = llvm.fadd %t895, %t897 : f32
  %t932 = llvm.fadd %t899, %t901 : f32
  %t933 = llvm.fadd %t903, %t905 : f32
  %t934 = llvm.fadd %t907, %t909 : f32
  %t935 = llvm.fadd %t911, %t913 : f32
  %t936 = llvm.fadd %t915, %t917 : f32
  %t937 = llvm.fadd %t919, %t921 : f32
  %t938 = llvm.fadd %t922, %t923 : f32
  %t939 = llvm.fadd %t924, %t925 : f32
  %t940 = llvm.fadd %t926, %t927 : f32
  %t941 = llvm.fadd %t928, %t929 : f32
  %t942 = llvm.fadd %t930, %t931 : f32
  %t943 = llvm.fadd %t932, %t933 : f32
  %t944 = llvm.fadd %t934, %t935 : f32
  %t945 = llvm.fadd %t936, %t937 : f32
  %t946 = llvm.fadd %t938, %t939 : f32
  %t947 = llvm.fadd %t940, %t941 : f32
  %t948 = llvm.fadd %t942, %t943 : f32
  %t949 = llvm.fadd %t944, %t945 : f32
  %t950 = llvm.fadd %t946, %t947 : f32
  %t951 = llvm.fadd %t948, %t949 : f32
  %t952 = llvm.fadd %t950, %t951 : f32
  %t953 = llvm.intr.fma(%t342, %t857, %t952) : (f32, f32, f32) -> f32
  %t954 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t724, %t722 : (f32, f32) -> i32
  %t955 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t861, %t859 : (f32, f32) -> i32
  %t956 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t728, %t726 : (f32, f32) -> i32
  %t957 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t865, %t863 : (f32, f32) -> i32
  %t958 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t732, %t730 : (f32, f32) -> i32
  %t959 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t869, %t867 : (f32, f32) -> i32
  %t960 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t736, %t734 : (f32, f32) -> i32
  %t961 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t873, %t871 : (f32, f32) -> i32
  %t962 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t740, %t738 : (f32, f32) -> i32
  %t963 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t877, %t875 : (f32, f32) -> i32
  %t964 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t744, %t742 : (f32, f32) -> i32
  %t965 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t881, %t879 : (f32, f32) -> i32
  %t966 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t748, %t746 : (f32, f32) -> i32
  %t967 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t885, %t883 : (f32, f32) -> i32
  %t968 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t752, %t750 : (f32, f32) -> i32
  %t969 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t889, %t887 : (f32, f32) -> i32
  %t970 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t756, %t754 : (f32, f32) -> i32
  %t971 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t893, %t891 : (f32, f32) -> i32
  %t972 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t760, %t758 : (f32, f32) -> i32
  %t973 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t897, %t895 : (f32, f32) -> i32
  %t974 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t764, %t762 : (f32, f32) -> i32
  %t975 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t901, %t899 : (f32, f32) -> i32
  %t976 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t768, %t766 : (f32, f32) -> i32
  %t977 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t905, %t903 : (f32, f32) -> i32
  %t978 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t772, %t770 : (f32, f32) -> i32
  %t979 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t909, %t907 : (f32, f32) -> i32
  %t980 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t776, %t774 : (f32, f32) -> i32
  %t981 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t913, %t911 : (f32, f32) -> i32
  %t982 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t780, %t778 : (f32, f32) -> i32
  %t983 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t917, %t915 : (f32, f32) -> i32
  %t984 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t784, %t782 : (f32, f32) -> i32
  %t985 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t921, %t919 : (f32, f32) -> i32
  %t986 = llvm.mlir.constant(1 : i32) : i32
  llvm.br ^b25(%t986, %t339, %t340, %t715, %t852, %t816, %t953, %t954, %t955, %t956, %t957, %t958, %t959, %t960, %t961, %t962, %t963, %t964, %t965, %t966, %t967, %t968, %t969, %t970, %t971, %t972, %t973, %t974, %t975, %t976, %t977, %t978, %t979, %t980, %t981, %t982, %t983, %t984, %t985, %t342, %t342, %t342, %t342, %t342, %t342, %t342, %t342, %t342, %t342, %t342, %t342, %t342, %t342, %t342, %t342 : i32, i32, i32, f32, f32, f32, f32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b25(%t987: i32, %t988: i32, %t989: i32, %t990: f32, %t991: f32, %t992: f32, %t993: f32, %t994: i32, %t995: i32, %t996: i32, %t997: i32, %t998: i32, %t999: i32, %t1000: i32, %t1001: i32, %t1002: i32, %t1003: i32, %t1004: i32, %t1005: i32, %t1006: i32, %t1007: i32, %t1008: i32, %t1009: i32, %t1010: i32, %t1011: i32, %t1012: i32, %t1013: i32, %t1014: i32, %t1015: i32, %t1016: i32, %t1017: i32, %t1018: i32, %t1019: i32, %t1020: i32, %t1021: i32, %t1022: i32, %t1023: i32, %t1024: i32, %t1025: i32, %t1026: f32, %t1027: f32, %t1028: f32, %t1029: f32, %t1030: f32, %t1031: f32, %t1032: f32, %t1033: f32, %t1034: f32, %t1035: f32, %t1036: f32, %t1037: f32, %t1038: f32, %t1039: f32, %t1040: f32, %t1041: f32):
  %t1042 = llvm.icmp "slt" %t987, %t55 : i32
  llvm.cond_br %t1042, ^b26, ^b27
^b26:
  %t1043 = llvm.mlir.constant(1 : i32) : i32
  %t1044 = llvm.add %t988, %t1043 : i32
  %t1045 = llvm.mlir.constant(6 : i32) : i32
  %t1046 = llvm.icmp "eq" %t1044, %t1045 : i32
  %t1047 = llvm.mlir.constant(0 : i32) : i32
  %t1048 = llvm.mlir.constant(1 : i32) : i32
  %t1049 = llvm.select %t1046, %t1048, %t1047 : i1, i32
  %t1050 = llvm.select %t1046, %t1047, %t1044 : i1, i32
  %t1051 = llvm.xor %t989, %t1049 : i32
  %t1052 = llvm.mlir.constant(3 : i32) : i32
  %t1053 = llvm.shl %t988, %t1052 : i32
  %t1054 = llvm.add %t22, %t1053 : i32
  llvm.br ^b28
^b28:
  %t1055 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t1054, %t989 : (i32, i32) -> i32
  %t1056 = llvm.mlir.constant(0 : i32) : i32
  %t1057 = llvm.icmp "ne" %t1055, %t1056 : i32
  llvm.cond_br %t1057, ^b29, ^b28
^b29:
  %t1058 = llvm.mlir.constant(3 : i32) : i32
  %t1059 = llvm.shl %t1050, %t1058 : i32
  %t1060 = llvm.add %t22, %t1059 : i32
  llvm.br ^b30
^b30:
  %t1061 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t1060, %t1051 : (i32, i32) -> i32
  %t1062 = llvm.mlir.constant(0 : i32) : i32
  %t1063 = llvm.icmp "ne" %t1061, %t1062 : i32
  llvm.cond_br %t1063, ^b31, ^b30
^b31:
  %t1064 = llvm.mlir.constant(16384 : i32) : i32
  %t1065 = llvm.mul %t988, %t1064 : i32
  %t1066 = llvm.add %t18, %t1065 : i32
  %t1067 = llvm.mlir.constant(4611686293372403712 : i64) : i64
  %t1068 = llvm.mlir.constant(4 : i32) : i32
  %t1069 = llvm.lshr %t1066, %t1068 : i32
  %t1070 = llvm.zext %t1069 : i32 to i64
  %t1071 = llvm.or %t1067, %t1070 : i64
  %t1072 = llvm.mlir.constant(16384 : i32) : i32
  %t1073 = llvm.mul %t1050, %t1072 : i32
  %t1074 = llvm.add %t18, %t1073 : i32
  %t1075 = llvm.mlir.constant(4611686293372403712 : i64) : i64
  %t1076 = llvm.mlir.constant(4 : i32) : i32
  %t1077 = llvm.lshr %t1074, %t1076 : i32
  %t1078 = llvm.zext %t1077 : i32 to i64
  %t1079 = llvm.or %t1075, %t1078 : i64
  %t1080 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred yes, no; .reg .b64 a, b; setp.eq.b32 yes, 0, 0; setp.ne.b32 no, 0, 0; wgmma.fence.sync.aligned; add.s64 b, $81, 0; add.s64 a, $80, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63}, a, b, no, 1, 1, 0, 0; add.s64 b, $81, 2; add.s64 a, $80, 2; wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63}, a, b, yes, 1, 1, 0, 0; wgmma.commit_group.sync.aligned; add.s64 b, $82, 0; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79}, {$83, $84, $85, $86}, b, yes, 1, 1, 1; add.s64 b, $82, 128; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79}, {$87, $88, $89, $90}, b, yes, 1, 1, 1; add.s64 b, $82, 256; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79}, {$91, $92, $93, $94}, b, yes, 1, 1, 1; add.s64 b, $82, 384; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79}, {$95, $96, $97, $98}, b, yes, 1, 1, 1; add.s64 b, $82, 512; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79}, {$99, $100, $101, $102}, b, yes, 1, 1, 1; add.s64 b, $82, 640; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79}, {$103, $104, $105, $106}, b, yes, 1, 1, 1; add.s64 b, $82, 768; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79}, {$107, $108, $109, $110}, b, yes, 1, 1, 1; add.s64 b, $82, 896; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79}, {$111, $112, $113, $114}, b, yes, 1, 1, 1; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 1; }", "=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=&f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,l,l,l,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,64,65,66,67,68,69,70,71,72,73,74,75,76,77,78,79,~{memory}" %t243, %t1071, %t1079, %t994, %t995, %t996, %t997, %t998, %t999, %t1000, %t1001, %t1002, %t1003, %t1004, %t1005, %t1006, %t1007, %t1008, %t1009, %t1010, %t1011, %t1012, %t1013, %t1014, %t1015, %t1016, %t1017, %t1018, %t1019, %t1020, %t1021, %t1022, %t1023, %t1024, %t1025, %t1026, %t1027, %t1028, %t1029, %t1030, %t1031, %t1032, %t1033, %t1034, %t1035, %t1036, %t1037, %t1038, %t1039, %t1040, %t1041 : (i64, i64, i64, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) -> !sums80
  %t1081 = llvm.extractvalue %t1080[0] : !sums80
  %t1082 = llvm.extractvalue %t1080[1] : !sums80
  %t1083 = llvm.extractvalue %t1080[2] : !sums80
  %t1084 = llvm.extractvalue %t1080[3] : !sums80
  %t1085 = llvm.extractvalue %t1080[4] : !sums80
  %t1086 = llvm.extractvalue %t1080[5] : !sums80
  %t1087 = llvm.extractvalue %t1080[6] : !sums80
  %t1088 = llvm.extractvalue %t1080[7] : !sums80
  %t1089 = llvm.extractvalue %t1080[8] : !sums80
  %t1090 = llvm.extractvalue %t1080[9] : !sums80
  %t1091 = llvm.extractvalue %t1080[10] : !sums80
  %t1092 = llvm.extractvalue %t1080[11] : !sums80
  %t1093 = llvm.extractvalue %t1080[12] : !sums80
  %t1094 = llvm.extractvalue %t1080[13] : !sums80
  %t1095 = llvm.extractvalue %t1080[14] : !sums80
  %t1096 = llvm.extractvalue %t1080[15] : !sums80
  %t1097 = llvm.extractvalue %t1080[16] : !sums80
  %t1098 = llvm.extractvalue %t1080[17] : !sums80
  %t1099 = llvm.extractvalue %t1080[18] : !sums80
  %t1100 = llvm.extractvalue %t1080[19] : !sums80
  %t1101 = llvm.extractvalue %t1080[20] : !sums80
  %t1102 = llvm.extractvalue %t1080[21] : !sums80
  %t1103 = llvm.extractvalue %t1080[22] : !sums80
  %t1104 = llvm.extractvalue %t1080[23] : !sums80
  %t1105 = llvm.extractvalue %t1080[24] : !sums80
  %t1106 = llvm.extractvalue %t1080[25] : !sums80
  %t1107 = llvm.extractvalue %t1080[26] : !sums80
  %t1108 = llvm.extractvalue %t1080[27] : !sums80
  %t1109 = llvm.extractvalue %t1080[28] : !sums80
  %t1110 = llvm.extractvalue %t1080[29] : !sums80
  %t1111 = llvm.extractvalue %t1080[30] : !sums80
  %t1112 = llvm.extractvalue %t1080[31] : !sums80
  %t1113 = llvm.extractvalue %t1080[32] : !sums80
  %t1114 = llvm.extractvalue %t1080[33] : !sums80
  %t1115 = llvm.extractvalue %t1080[34] : !sums80
  %t1116 = llvm.extractvalue %t1080[35] : !sums80
  %t1117 = llvm.extractvalue %t1080[36] : !sums80
  %t1118 = llvm.extractvalue %t1080[37] : !sums80
  %t1119 = llvm.extractvalue %t1080[38] : !sums80
  %t1120 = llvm.extractvalue %t1080[39] : !sums80
  %t1121 = llvm.extractvalue %t1080[40] : !sums80
  %t1122 = llvm.extractvalue %t1080[41] : !sums80
  %t1123 = llvm.extractvalue %t1080[42] : !sums80
  %t1124 = llvm.extractvalue %t1080[43] : !sums80
  %t1125 = llvm.extractvalue %t1080[44] : !sums80
  %t1126 = llvm.extractvalue %t1080[45] : !sums80
  %t1127 = llvm.extractvalue %t1080[46] : !sums80
  %t1128 = llvm.extractvalue %t1080[47] : !sums80
  %t1129 = llvm.extractvalue %t1080[48] : !sums80
  %t1130 = llvm.extractvalue %t1080[49] : !sums80
  %t1131 = llvm.extractvalue %t1080[50] : !sums80
  %t1132 = llvm.extractvalue %t1080[51] : !sums80
  %t1133 = llvm.extractvalue %t1080[52] : !sums80
  %t1134 = llvm.extractvalue %t1080[53] : !sums80
  %t1135 = llvm.extractvalue %t1080[54] : !sums80
  %t1136 = llvm.extractvalue %t1080[55] : !sums80
  %t1137 = llvm.extractvalue %t1080[56] : !sums80
  %t1138 = llvm.extractvalue %t1080[57] : !sums80
  %t1139 = llvm.extractvalue %t1080[58] : !sums80
  %t1140 = llvm.extractvalue %t1080[59] : !sums80
  %t1141 = llvm.extractvalue %t1080[60] : !sums80
  %t1142 = llvm.extractvalue %t1080[61] : !sums80
  %t1143 = llvm.extractvalue %t1080[62] : !sums80
  %t1144 = llvm.extractvalue %t1080[63] : !sums80
  %t1145 = llvm.extractvalue %t1080[64] : !sums80
  %t1146 = llvm.extractvalue %t1080[65] : !sums80
  %t1147 = llvm.extractvalue %t1080[66] : !sums80
  %t1148 = llvm.extractvalue %t1080[67] : !sums80
  %t1149 = llvm.extractvalue %t1080[68] : !sums80
  %t1150 = llvm.extractvalue %t1080[69] : !sums80
  %t1151 = llvm.extractvalue %t1080[70] : !sums80
  %t1152 = llvm.extractvalue %t1080[71] : !sums80
  %t1153 = llvm.extractvalue %t1080[72] : !sums80
  %t1154 = llvm.extractvalue %t1080[73] : !sums80
  %t1155 = llvm.extractvalue %t1080[74] : !sums80
  %t1156 = llvm.extractvalue %t1080[75] : !sums80
  %t1157 = llvm.extractvalue %t1080[76] : !sums80
  %t1158 = llvm.extractvalue %t1080[77] : !sums80
  %t1159 = llvm.extractvalue %t1080[78] : !sums80
  %t1160 = llvm.extractvalue %t1080[79] : !sums80
  %t1161 = llvm.mlir.constant(0 : i32) : i32
  %t1162 = llvm.icmp "eq" %t10, %t1161 : i32
  %t1163 = llvm.zext %t1162 : i1 to i32
  %t1164 = llvm.mlir.constant(3 : i32) : i32
  %t1165 = llvm.shl %t988, %t1164 : i32
  %t1166 = llvm.add %t22, %t1165 : i32
  %t1167 = llvm.mlir.constant(48 : i32) : i32
  %t1168 = llvm.add %t1166, %t1167 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; setp.ne.b32 p, $1, 0; @p mbarrier.arrive.shared::cta.b64 _, [$0]; }", "r,r,~{memory}" %t1168, %t1163 : (i32, i32) -> ()
  %t1169 = llvm.mlir.constant(128 : i32) : i32
  %t1170 = llvm.mul %t987, %t1169 : i32
  %t1171 = llvm.add %t45, %t1170 : i32
  %t1172 = llvm.mlir.constant(128 : i32) : i32
  %t1173 = llvm.add %t1171, %t1172 : i32
  %t1174 = llvm.icmp "slt" %t1171, %t45 : i32
  %t1175 = llvm.icmp "sgt" %t1173, %t46 : i32
  %t1176 = llvm.or %t1174, %t1175 : i1
  %t1177 = llvm.mlir.constant(3 : i32) : i32
  %t1178 = llvm.and %t10, %t1177 : i32
  %t1179 = llvm.mlir.constant(1 : i32) : i32
  %t1180 = llvm.shl %t1178, %t1179 : i32
  llvm.cond_br %t1176, ^b32, ^b33(%t1081, %t1082, %t1083, %t1084, %t1085, %t1086, %t1087, %t1088, %t1089, %t1090, %t1091, %t1092, %t1093, %t1094, %t1095, %t1096, %t1097, %t1098, %t1099, %t1100, %t1101, %t1102, %t1103, %t1104, %t1105, %t1106, %t1107, %t1108, %t1109, %t1110, %t1111, %t1112, %t1113, %t1114, %t1115, %t1116, %t1117, %t1118, %t1119, %t1120, %t1121, %t1122, %t1123, %t1124, %t1125, %t1126, %t1127, %t1128, %t1129, %t1130, %t1131, %t1132, %t1133, %t1134, %t1135, %t1136, %t1137, %t1138, %t1139, %t1140, %t1141, %t1142, %t1143, %t1144 : f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b32:
  %t1181 = llvm.mlir.constant(0xFF800000 : f32) : f32
  %t1182 = llvm.add %t1171, %t1180 : i32
  %t1183 = llvm.sub %t1182, %t221 : i32
  %t1184 = llvm.sub %t1182, %t226 : i32
  %t1185 = llvm.mlir.constant(0 : i32) : i32
  %t1186 = llvm.add %t1183, %t1185 : i32
  %t1187 = llvm.icmp "ult" %t1186, %t224 : i32
  %t1188 = llvm.select %t1187, %t1081, %t1181 : i1, f32
  %t1189 = llvm.mlir.constant(1 : i32) : i32
  %t1190 = llvm.add %t1183, %t1189 : i32
  %t1191 = llvm.icmp "ult" %t1190, %t224 : i32
  %t1192 = llvm.select %t1191, %t1082, %t1181 : i1, f32
  %t1193 = llvm.mlir.constant(0 : i32) : i32
  %t1194 = llvm.add %t1184, %t1193 : i32
  %t1195 = llvm.icmp "ult" %t1194, %t229 : i32
  %t1196 = llvm.select %t1195, %t1083, %t1181 : i1, f32
  %t1197 = llvm.mlir.constant(1 : i32) : i32
  %t1198 = llvm.add %t1184, %t1197 : i32
  %t1199 = llvm.icmp "ult" %t1198, %t229 : i32
  %t1200 = llvm.select %t1199, %t1084, %t1181 : i1, f32
  %t1201 = llvm.mlir.constant(8 : i32) : i32
  %t1202 = llvm.add %t1183, %t1201 : i32
  %t1203 = llvm.icmp "ult" %t1202, %t224 : i32
  %t1204 = llvm.select %t1203, %t1085, %t1181 : i1, f32
  %t1205 = llvm.mlir.constant(9 : i32) : i32
  %t1206 = llvm.add %t1183, %t1205 : i32
  %t1207 = llvm.icmp "ult" %t1206, %t224 : i32
  %t1208 = llvm.select %t1207, %t1086, %t1181 : i1, f32
  %t1209 = llvm.mlir.constant(8 : i32) : i32
  %t1210 = llvm.add %t1184, %t1209 : i32
  %t1211 = llvm.icmp "ult" %t1210, %t229 : i32
  %t1212 = llvm.select %t1211, %t1087, %t1181 : i1, f32
  %t1213 = llvm.mlir.constant(9 : i32) : i32
  %t1214 = llvm.add %t1184, %t1213 : i32
  %t1215 = llvm.icmp "ult" %t1214, %t229 : i32
  %t1216 = llvm.select %t1215, %t1088, %t1181 : i1, f32
  %t1217 = llvm.mlir.constant(16 : i32) : i32
  %t1218 = llvm.add %t1183, %t1217 : i32
  %t1219 = llvm.icmp "ult" %t1218, %t224 : i32
  %t1220 = llvm.select %t1219, %t1089, %t1181 : i1, f32
  %t1221 = llvm.mlir.constant(17 : i32) : i32
  %t1222 = llvm.add %t1183, %t1221 : i32
  %t1223 = llvm.icmp "ult" %t1222, %t224 : i32
  %t1224 = llvm.select %t1223, %t1090, %t1181 : i1, f32
  %t1225 = llvm.mlir.constant(16 : i32) : i32
  %t1226 = llvm.add %t1184, %t1225 : i32
  %t1227 = llvm.icmp "ult" %t1226, %t229 : i32
  %t1228 = llvm.select %t1227, %t1091, %t1181 : i1, f32
  %t1229 = llvm.mlir.constant(17 : i32) : i32
  %t1230 = llvm.add %t1184, %t1229 : i32
  %t1231 = llvm.icmp "ult" %t1230, %t229 : i32
  %t1232 = llvm.select %t1231, %t1092, %t1181 : i1, f32
  %t1233 = llvm.mlir.constant(24 : i32) : i32
  %t1234 = llvm.add %t1183, %t1233 : i32
  %t1235 = llvm.icmp "ult" %t1234, %t224 : i32
  %t1236 = llvm.select %t1235, %t1093, %t1181 : i1, f32
  %t1237 = llvm.mlir.constant(25 : i32) : i32
  %t1238 = llvm.add %t1183, %t1237 : i32
  %t1239 = llvm.icmp "ult" %t1238, %t224 : i32
  %t1240 = llvm.select %t1239, %t1094, %t1181 : i1, f32
  %t1241 = llvm.mlir.constant(24 : i32) : i32
  %t1242 = llvm.add %t1184, %t1241 : i32
  %t1243 = llvm.icmp "ult" %t1242, %t229 : i32
  %t1244 = llvm.select %t1243, %t1095, %t1181 : i1, f32
  %t1245 = llvm.mlir.constant(25 : i32) : i32
  %t1246 = llvm.add %t1184, %t1245 : i32
  %t1247 = llvm.icmp "ult" %t1246, %t229 : i32
  %t1248 = llvm.select %t1247, %t1096, %t1181 : i1, f32
  %t1249 = llvm.mlir.constant(32 : i32) : i32
  %t1250 = llvm.add %t1183, %t1249 : i32
  %t1251 = llvm.icmp "ult" %t1250, %t224 : i32
  %t1252 = llvm.select %t1251, %t1097, %t1181 : i1, f32
  %t1253 = llvm.mlir.constant(33 : i32) : i32
  %t1254 = llvm.add %t1183, %t1253 : i32
  %t1255 = llvm.icmp "ult" %t1254, %t224 : i32
  %t1256 = llvm.select %t1255, %t1098, %t1181 : i1, f32
  %t1257 = llvm.mlir.constant(32 : i32) : i32
  %t1258 = llvm.add %t1184, %t1257 : i32
  %t1259 = llvm.icmp "ult" %t1258, %t229 : i32
  %t1260 = llvm.select %t1259, %t1099, %t1181 : i1, f32
  %t1261 = llvm.mlir.constant(33 : i32) : i32
  %t1262 = llvm.add %t1184, %t1261 : i32
  %t1263 = llvm.icmp "ult" %t1262, %t229 : i32
  %t1264 = llvm.select %t1263, %t1100, %t1181 : i1, f32
  %t1265 = llvm.mlir.constant(40 : i32) : i32
  %t1266 = llvm.add %t1183, %t1265 : i32
  %t1267 = llvm.icmp "ult" %t1266, %t224 : i32
  %t1268 = llvm.select %t1267, %t1101, %t1181 : i1, f32
  %t1269 = llvm.mlir.constant(41 : i32) : i32
  %t1270 = llvm.add %t1183, %t1269 : i32
  %t1271 = llvm.icmp "ult" %t1270, %t224 : i32
  %t1272 = llvm.select %t1271, %t1102, %t1181 : i1, f32
  %t1273 = llvm.mlir.constant(40 : i32) : i32
  %t1274 = llvm.add %t1184, %t1273 : i32
  %t1275 = llvm.icmp "ult" %t1274, %t229 : i32
  %t1276 = llvm.select %t1275, %t1103, %t1181 : i1, f32
  %t1277 = llvm.mlir.constant(41 : i32) : i32
  %t1278 = llvm.add %t1184, %t1277 : i32
  %t1279 = llvm.icmp "ult" %t1278, %t229 : i32
  %t1280 = llvm.select %t1279, %t1104, %t1181 : i1, f32
  %t1281 = llvm.mlir.constant(48 : i32) : i32
  %t1282 = llvm.add %t1183, %t1281 : i32
  %t1283 = llvm.icmp "ult" %t1282, %t224 : i32
  %t1284 = llvm.select %t1283, %t1105, %t1181 : i1, f32
  %t1285 = llvm.mlir.constant(49 : i32) : i32
  %t1286 = llvm.add %t1183, %t1285 : i32
  %t1287 = llvm.icmp "ult" %t1286, %t224 : i32
  %t1288 = llvm.select %t1287, %t1106, %t1181 : i1, f32
  %t1289 = llvm.mlir.constant(48 : i32) : i32
  %t1290 = llvm.add %t1184, %t1289 : i32
  %t1291 = llvm.icmp "ult" %t1290, %t229 : i32
  %t1292 = llvm.select %t1291, %t1107, %t1181 : i1, f32
  %t1293 = llvm.mlir.constant(49 : i32) : i32
  %t1294 = llvm.add %t1184, %t1293 : i32
  %t1295 = llvm.icmp "ult" %t1294, %t229 : i32
  %t1296 = llvm.select %t1295, %t1108, %t1181 : i1, f32
  %t1297 = llvm.mlir.constant(56 : i32) : i32
  %t1298 = llvm.add %t1183, %t1297 : i32
  %t1299 = llvm.icmp "ult" %t1298, %t224 : i32
  %t1300 = llvm.select %t1299, %t1109, %t1181 : i1, f32
  %t1301 = llvm.mlir.constant(57 : i32) : i32
  %t1302 = llvm.add %t1183, %t1301 : i32
  %t1303 = llvm.icmp "ult" %t1302, %t224 : i32
  %t1304 = llvm.select %t1303, %t1110, %t1181 : i1, f32
  %t1305 = llvm.mlir.constant(56 : i32) : i32
  %t1306 = llvm.add %t1184, %t1305 : i32
  %t1307 = llvm.icmp "ult" %t1306, %t229 : i32
  %t1308 = llvm.select %t1307, %t1111, %t1181 : i1, f32
  %t1309 = llvm.mlir.constant(57 : i32) : i32
  %t1310 = llvm.add %t1184, %t1309 : i32
  %t1311 = llvm.icmp "ult" %t1310, %t229 : i32
  %t1312 = llvm.select %t1311, %t1112, %t1181 : i1, f32
  %t1313 = llvm.mlir.constant(64 : i32) : i32
  %t1314 = llvm.add %t1183, %t1313 : i32
  %t1315 = llvm.icmp "ult" %t1314, %t224 : i32
  %t1316 = llvm.select %t1315, %t1113, %t1181 : i1, f32
  %t1317 = llvm.mlir.constant(65 : i32) : i32
  %t1318 = llvm.add %t1183, %t1317 : i32
  %t1319 = llvm.icmp "ult" %t1318, %t224 : i32
  %t1320 = llvm.select %t1319, %t1114, %t1181 : i1, f32
  %t1321 = llvm.mlir.constant(64 : i32) : i32
  %t1322 = llvm.add %t1184, %t1321 : i32
  %t1323 = llvm.icmp "ult" %t1322, %t229 : i32
  %t1324 = llvm.select %t1323, %t1115, %t1181 : i1, f32
  %t1325 = llvm.mlir.constant(65 : i32) : i32
  %t1326 = llvm.add %t1184, %t1325 : i32
  %t1327 = llvm.icmp "ult" %t1326, %t229 : i32
  %t1328 = llvm.select %t1327, %t1116, %t1181 : i1, f32
  %t1329 = llvm.mlir.constant(72 : i32) : i32
  %t1330 = llvm.add %t1183, %t1329 : i32
  %t1331 = llvm.icmp "ult" %t1330, %t224 : i32
  %t1332 = llvm.select %t1331, %t1117, %t1181 : i1, f32
  %t1333 = llvm.mlir.constant(73 : i32) : i32
  %t1334 = llvm.add %t1183, %t1333 : i32
  %t1335 = llvm.icmp "ult" %t1334, %t224 : i32
  %t1336 = llvm.select %t1335, %t1118, %t1181 : i1, f32
  %t1337 = llvm.mlir.constant(72 : i32) : i32
  %t1338 = llvm.add %t1184, %t1337 : i32
  %t1339 = llvm.icmp "ult" %t1338, %t229 : i32
  %t1340 = llvm.select %t1339, %t1119, %t1181 : i1, f32
  %t1341 = llvm.mlir.constant(73 : i32) : i32
  %t1342 = llvm.add %t1184, %t1341 : i32
  %t1343 = llvm.icmp "ult" %t1342, %t229 : i32
  %t1344 = llvm.select %t1343, %t1120, %t1181 : i1, f32
  %t1345 = llvm.mlir.constant(80 : i32) : i32
  %t1346 = llvm.add %t1183, %t1345 : i32
  %t1347 = llvm.icmp "ult" %t1346, %t224 : i32
  %t1348 = llvm.select %t1347, %t1121, %t1181 : i1, f32
  %t1349 = llvm.mlir.constant(81 : i32) : i32
  %t1350 = llvm.add %t1183, %t1349 : i32
  %t1351 = llvm.icmp "ult" %t1350, %t224 : i32
  %t1352 = llvm.select %t1351, %t1122, %t1181 : i1, f32
  %t1353 = llvm.mlir.constant(80 : i32) : i32
  %t1354 = llvm.add %t1184, %t1353 : i32
  %t1355 = llvm.icmp "ult" %t1354, %t229 : i32
  %t1356 = llvm.select %t1355, %t1123, %t1181 : i1, f32
  %t1357 = llvm.mlir.constant(81 : i32) : i32
  %t1358 = llvm.add %t1184, %t1357 : i32
  %t1359 = llvm.icmp "ult" %t1358, %t229 : i32
  %t1360 = llvm.select %t1359, %t1124, %t1181 : i1, f32
  %t1361 = llvm.mlir.constant(88 : i32) : i32
  %t1362 = llvm.add %t1183, %t1361 : i32
  %t1363 = llvm.icmp "ult" %t1362, %t224 : i32
  %t1364 = llvm.select %t1363, %t1125, %t1181 : i1, f32
  %t1365 = llvm.mlir.constant(89 : i32) : i32
  %t1366 = llvm.add %t1183, %t1365 : i32
  %t1367 = llvm.icmp "ult" %t1366, %t224 : i32
  %t1368 = llvm.select %t1367, %t1126, %t1181 : i1, f32
  %t1369 = llvm.mlir.constant(88 : i32) : i32
  %t1370 = llvm.add %t1184, %t1369 : i32
  %t1371 = llvm.icmp "ult" %t1370, %t229 : i32
  %t1372 = llvm.select %t1371, %t1127, %t1181 : i1, f32
  %t1373 = llvm.mlir.constant(89 : i32) : i32
  %t1374 = llvm.add %t1184, %t1373 : i32
  %t1375 = llvm.icmp "ult" %t1374, %t229 : i32
  %t1376 = llvm.select %t1375, %t1128, %t1181 : i1, f32
  %t1377 = llvm.mlir.constant(96 : i32) : i32
  %t1378 = llvm.add %t1183, %t1377 : i32
  %t1379 = llvm.icmp "ult" %t1378, %t224 : i32
  %t1380 = llvm.select %t1379, %t1129, %t1181 : i1, f32
  %t1381 = llvm.mlir.constant(97 : i32) : i32
  %t1382 = llvm.add %t1183, %t1381 : i32
  %t1383 = llvm.icmp "ult" %t1382, %t224 : i32
  %t1384 = llvm.select %t1383, %t1130, %t1181 : i1, f32
  %t1385 = llvm.mlir.constant(96 : i32) : i32
  %t1386 = llvm.add %t1184, %t1385 : i32
  %t1387 = llvm.icmp "ult" %t1386, %t229 : i32
  %t1388 = llvm.select %t1387, %t1131, %t1181 : i1, f32
  %t1389 = llvm.mlir.constant(97 : i32) : i32
  %t1390 = llvm.add %t1184, %t1389 : i32
  %t1391 = llvm.icmp "ult" %t1390, %t229 : i32
  %t1392 = llvm.select %t1391, %t1132, %t1181 : i1, f32
  %t1393 = llvm.mlir.constant(104 : i32) : i32
  %t1394 = llvm.add %t1183, %t1393 : i32
  %t1395 = llvm.icmp "ult" %t1394, %t224 : i32
  %t1396 = llvm.select %t1395, %t1133, %t1181 : i1, f32
  %t1397 = llvm.mlir.constant(105 : i32) : i32
  %t1398 = llvm.add %t1183, %t1397 : i32
  %t1399 = llvm.icmp "ult" %t1398, %t224 : i32
  %t1400 = llvm.select %t1399, %t1134, %t1181 : i1, f32
  %t1401 = llvm.mlir.constant(104 : i32) : i32
  %t1402 = llvm.add %t1184, %t1401 : i32
  %t1403 = llvm.icmp "ult" %t1402, %t229 : i32
  %t1404 = llvm.select %t1403, %t1135, %t1181 : i1, f32
  %t1405 = llvm.mlir.constant(105 : i32) : i32
  %t1406 = llvm.add %t1184, %t1405 : i32
  %t1407 = llvm.icmp "ult" %t1406, %t229 : i32
  %t1408 = llvm.select %t1407, %t1136, %t1181 : i1, f32
  %t1409 = llvm.mlir.constant(112 : i32) : i32
  %t1410 = llvm.add %t1183, %t1409 : i32
  %t1411 = llvm.icmp "ult" %t1410, %t224 : i32
  %t1412 = llvm.select %t1411, %t1137, %t1181 : i1, f32
  %t1413 = llvm.mlir.constant(113 : i32) : i32
  %t1414 = llvm.add %t1183, %t1413 : i32
  %t1415 = llvm.icmp "ult" %t1414, %t224 : i32
  %t1416 = llvm.select %t1415, %t1138, %t1181 : i1, f32
  %t1417 = llvm.mlir.constant(112 : i32) : i32
  %t1418 = llvm.add %t1184, %t1417 : i32
  %t1419 = llvm.icmp "ult" %t1418, %t229 : i32
  %t1420 = llvm.select %t1419, %t1139, %t1181 : i1, f32
  %t1421 = llvm.mlir.constant(113 : i32) : i32
  %t1422 = llvm.add %t1184, %t1421 : i32
  %t1423 = llvm.icmp "ult" %t1422, %t229 : i32
  %t1424 = llvm.select %t1423, %t1140, %t1181 : i1, f32
  %t1425 = llvm.mlir.constant(120 : i32) : i32
  %t1426 = llvm.add %t1183, %t1425 : i32
  %t1427 = llvm.icmp "ult" %t1426, %t224 : i32
  %t1428 = llvm.select %t1427, %t1141, %t1181 : i1, f32
  %t1429 = llvm.mlir.constant(121 : i32) : i32
  %t1430 = llvm.add %t1183, %t1429 : i32
  %t1431 = llvm.icmp "ult" %t1430, %t224 : i32
  %t1432 = llvm.select %t1431, %t1142, %t1181 : i1, f32
  %t1433 = llvm.mlir.constant(120 : i32) : i32
  %t1434 = llvm.add %t1184, %t1433 : i32
  %t1435 = llvm.icmp "ult" %t1434, %t229 : i32
  %t1436 = llvm.select %t1435, %t1143, %t1181 : i1, f32
  %t1437 = llvm.mlir.constant(121 : i32) : i32
  %t1438 = llvm.add %t1184, %t1437 : i32
  %t1439 = llvm.icmp "ult" %t1438, %t229 : i32
  %t1440 = llvm.select %t1439, %t1144, %t1181 : i1, f32
  llvm.br ^b33(%t1188, %t1192, %t1196, %t1200, %t1204, %t1208, %t1212, %t1216, %t1220, %t1224, %t1228, %t1232, %t1236, %t1240, %t1244, %t1248, %t1252, %t1256, %t1260, %t1264, %t1268, %t1272, %t1276, %t1280, %t1284, %t1288, %t1292, %t1296, %t1300, %t1304, %t1308, %t1312, %t1316, %t1320, %t1324, %t1328, %t1332, %t1336, %t1340, %t1344, %t1348, %t1352, %t1356, %t1360, %t1364, %t1368, %t1372, %t1376, %t1380, %t1384, %t1388, %t1392, %t1396, %t1400, %t1404, %t1408, %t1412, %t1416, %t1420, %t1424, %t1428, %t1432, %t1436, %t1440 : f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b33(%t1441: f32, %t1442: f32, %t1443: f32, %t1444: f32, %t1445: f32, %t1446: f32, %t1447: f32, %t1448: f32, %t1449: f32, %t1450: f32, %t1451: f32, %t1452: f32, %t1453: f32, %t1454: f32, %t1455: f32, %t1456: f32, %t1457: f32, %t1458: f32, %t1459: f32, %t1460: f32, %t1461: f32, %t1462: f32, %t1463: f32, %t1464: f32, %t1465: f32, %t1466: f32, %t1467: f32, %t1468: f32, %t1469: f32, %t1470: f32, %t1471: f32, %t1472: f32, %t1473: f32, %t1474: f32, %t1475: f32, %t1476: f32, %t1477: f32, %t1478: f32, %t1479: f32, %t1480: f32, %t1481: f32, %t1482: f32, %t1483: f32, %t1484: f32, %t1485: f32, %t1486: f32, %t1487: f32, %t1488: f32, %t1489: f32, %t1490: f32, %t1491: f32, %t1492: f32, %t1493: f32, %t1494: f32, %t1495: f32, %t1496: f32, %t1497: f32, %t1498: f32, %t1499: f32, %t1500: f32, %t1501: f32, %t1502: f32, %t1503: f32, %t1504: f32):
  %t1505 = llvm.mlir.constant(0x3E8293EE : f32) : f32
  %t1506 = llvm.mlir.constant(0xBE8293EE : f32) : f32
  %t1507 = llvm.mlir.constant(0xFF800000 : f32) : f32
  %t1508 = llvm.mlir.constant(0x00000000 : f32) : f32
  %t1509 = llvm.intr.maxnum(%t1441, %t1442) : (f32, f32) -> f32
  %t1510 = llvm.intr.maxnum(%t1445, %t1446) : (f32, f32) -> f32
  %t1511 = llvm.intr.maxnum(%t1449, %t1450) : (f32, f32) -> f32
  %t1512 = llvm.intr.maxnum(%t1453, %t1454) : (f32, f32) -> f32
  %t1513 = llvm.intr.maxnum(%t1457, %t1458) : (f32, f32) -> f32
  %t1514 = llvm.intr.maxnum(%t1461, %t1462) : (f32, f32) -> f32
  %t1515 = llvm.intr.maxnum(%t1465, %t1466) : (f32, f32) -> f32
  %t1516 = llvm.intr.maxnum(%t1469, %t1470) : (f32, f32) -> f32
  %t1517 = llvm.intr.maxnum(%t1473, %t1474) : (f32, f32) -> f32
  %t1518 = llvm.intr.maxnum(%t1477, %t1478) : (f32, f32) -> f32
  %t1519 = llvm.intr.maxnum(%t1481, %t1482) : (f32, f32) -> f32
  %t1520 = llvm.intr.maxnum(%t1485, %t1486) : (f32, f32) -> f32
  %t1521 = llvm.intr.maxnum(%t1489, %t1490) : (f32, f32) -> f32
  %t1522 = llvm.intr.maxnum(%t1493, %t1494) : (f32, f32) -> f32
  %t1523 = llvm.intr.maxnum(%t1497, %t1498) : (f32, f32) -> f32
  %t1524 = llvm.intr.maxnum(%t1501, %t1502) : (f32, f32) -> f32
  %t1525 = llvm.intr.maxnum(%t1509, %t1510) : (f32, f32) -> f32
  %t1526 = llvm.intr.maxnum(%t1511, %t1512) : (f32, f32) -> f32
  %t1527 = llvm.intr.maxnum(%t1513, %t1514) : (f32, f32) -> f32
  %t1528 = llvm.intr.maxnum(%t1515, %t1516) : (f32, f32) -> f32
  %t1529 = llvm.intr.maxnum(%t1517, %t1518) : (f32, f32) -> f32
  %t1530 = llvm.intr.maxnum(%t1519, %t1520) : (f32, f32) -> f32
  %t1531 = llvm.intr.maxnum(%t1521, %t1522) : (f32, f32) -> f32
  %t1532 = llvm.intr.maxnum(%t1523, %t1524) : (f32, f32) -> f32
  %t1533 = llvm.intr.maxnum(%t1525, %t1526) : (f32, f32) -> f32
  %t1534 = llvm.intr.maxnum(%t1527, %t1528) : (f32, f32) -> f32
  %t1535 = llvm.intr.maxnum(%t1529, %t1530) : (f32, f32) -> f32
  %t1536 = llvm.intr.maxnum(%t1531, %t1532) : (f32, f32) -> f32
  %t1537 = llvm.intr.maxnum(%t1533, %t1534) : (f32, f32) -> f32
  %t1538 = llvm.intr.maxnum(%t1535, %t1536) : (f32, f32) -> f32
  %t1539 = llvm.intr.maxnum(%t1537, %t1538) : (f32, f32) -> f32
  %t1540 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 1, 31, -1;", "=f,f,~{memory}" %t1539 : (f32) -> f32
  %t1541 = llvm.intr.maxnum(%t1539, %t1540) : (f32, f32) -> f32
  %t1542 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 2, 31, -1;", "=f,f,~{memory}" %t1541 : (f32) -> f32
  %t1543 = llvm.intr.maxnum(%t1541, %t1542) : (f32, f32) -> f32
  %t1544 = llvm.intr.maxnum(%t1543, %t990) : (f32, f32) -> f32
  %t1545 = llvm.fcmp "oeq" %t1544, %t1507 : f32
  %t1546 = llvm.select %t1545, %t1508, %t1544 : i1, f32
  %t1547 = llvm.fmul %t1546, %t1506 : f32
  %t1548 = llvm.intr.fma(%t990, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1549 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1548 : (f32) -> f32
  %t1550 = llvm.intr.fma(%t1441, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1551 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1550 : (f32) -> f32
  %t1552 = llvm.intr.fma(%t1442, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1553 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1552 : (f32) -> f32
  %t1554 = llvm.intr.fma(%t1445, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1555 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1554 : (f32) -> f32
  %t1556 = llvm.intr.fma(%t1446, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1557 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1556 : (f32) -> f32
  %t1558 = llvm.intr.fma(%t1449, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1559 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1558 : (f32) -> f32
  %t1560 = llvm.intr.fma(%t1450, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1561 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1560 : (f32) -> f32
  %t1562 = llvm.intr.fma(%t1453, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1563 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1562 : (f32) -> f32
  %t1564 = llvm.intr.fma(%t1454, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1565 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1564 : (f32) -> f32
  %t1566 = llvm.intr.fma(%t1457, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1567 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1566 : (f32) -> f32
  %t1568 = llvm.intr.fma(%t1458, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1569 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1568 : (f32) -> f32
  %t1570 = llvm.intr.fma(%t1461, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1571 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1570 : (f32) -> f32
  %t1572 = llvm.intr.fma(%t1462, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1573 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1572 : (f32) -> f32
  %t1574 = llvm.intr.fma(%t1465, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1575 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1574 : (f32) -> f32
  %t1576 = llvm.intr.fma(%t1466, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1577 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1576 : (f32) -> f32
  %t1578 = llvm.intr.fma(%t1469, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1579 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1578 : (f32) -> f32
  %t1580 = llvm.intr.fma(%t1470, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1581 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1580 : (f32) -> f32
  %t1582 = llvm.intr.fma(%t1473, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1583 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1582 : (f32) -> f32
  %t1584 = llvm.intr.fma(%t1474, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1585 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1584 : (f32) -> f32
  %t1586 = llvm.intr.fma(%t1477, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1587 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1586 : (f32) -> f32
  %t1588 = llvm.intr.fma(%t1478, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1589 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1588 : (f32) -> f32
  %t1590 = llvm.intr.fma(%t1481, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1591 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1590 : (f32) -> f32
  %t1592 = llvm.intr.fma(%t1482, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1593 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1592 : (f32) -> f32
  %t1594 = llvm.intr.fma(%t1485, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1595 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1594 : (f32) -> f32
  %t1596 = llvm.intr.fma(%t1486, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1597 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1596 : (f32) -> f32
  %t1598 = llvm.intr.fma(%t1489, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1599 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1598 : (f32) -> f32
  %t1600 = llvm.intr.fma(%t1490, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1601 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1600 : (f32) -> f32
  %t1602 = llvm.intr.fma(%t1493, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1603 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1602 : (f32) -> f32
  %t1604 = llvm.intr.fma(%t1494, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1605 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1604 : (f32) -> f32
  %t1606 = llvm.intr.fma(%t1497, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1607 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1606 : (f32) -> f32
  %t1608 = llvm.intr.fma(%t1498, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1609 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1608 : (f32) -> f32
  %t1610 = llvm.intr.fma(%t1501, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1611 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1610 : (f32) -> f32
  %t1612 = llvm.intr.fma(%t1502, %t1505, %t1547) : (f32, f32, f32) -> f32
  %t1613 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1612 : (f32) -> f32
  %t1614 = llvm.fadd %t1551, %t1553 : f32
  %t1615 = llvm.fadd %t1555, %t1557 : f32
  %t1616 = llvm.fadd %t1559, %t1561 : f32
  %t1617 = llvm.fadd %t1563, %t1565 : f32
  %t1618 = llvm.fadd %t1567, %t1569 : f32
  %t1619 = llvm.fadd %t1571, %t1573 : f32
  %t1620 = llvm.fadd %t1575, %t1577 : f32
  %t1621 = llvm.fadd %t1579, %t1581 : f32
  %t1622 = llvm.fadd %t1583, %t1585 : f32
  %t1623 = llvm.fadd %t1587, %t1589 : f32
  %t1624 = llvm.fadd %t1591, %t1593 : f32
  %t1625 = llvm.fadd %t1595, %t1597 : f32
  %t1626 = llvm.fadd %t1599, %t1601 : f32
  %t1627 = llvm.fadd %t1603, %t1605 : f32
  %t1628 = llvm.fadd %t1607, %t1609 : f32
  %t1629 = llvm.fadd %t1611, %t1613 : f32
  %t1630 = llvm.fadd %t1614, %t1615 : f32
  %t1631 = llvm.fadd %t1616, %t1617 : f32
  %t1632 = llvm.fadd %t1618, %t1619 : f32
  %t1633 = llvm.fadd %t1620, %t1621 : f32
  %t1634 = llvm.fadd %t1622, %t1623 : f32
  %t1635 = llvm.fadd %t1624, %t1625 : f32
  %t1636 = llvm.fadd %t1626, %t1627 : f32
  %t1637 = llvm.fadd %t1628, %t1629 : f32
  %t1638 = llvm.fadd %t1630, %t1631 : f32
  %t1639 = llvm.fadd %t1632, %t1633 : f32
  %t1640 = llvm.fadd %t1634, %t1635 : f32
  %t1641 = llvm.fadd %t1636, %t1637 : f32
  %t1642 = llvm.fadd %t1638, %t1639 : f32
  %t1643 = llvm.fadd %t1640, %t1641 : f32
  %t1644 = llvm.fadd %t1642, %t1643 : f32
  %t1645 = llvm.intr.fma(%t992, %t1549, %t1644) : (f32, f32, f32) -> f32
  %t1646 = llvm.intr.maxnum(%t1443, %t1444) : (f32, f32) -> f32
  %t1647 = llvm.intr.maxnum(%t1447, %t1448) : (f32, f32) -> f32
  %t1648 = llvm.intr.maxnum(%t1451, %t1452) : (f32, f32) -> f32
  %t1649 = llvm.intr.maxnum(%t1455, %t1456) : (f32, f32) -> f32
  %t1650 = llvm.intr.maxnum(%t1459, %t1460) : (f32, f32) -> f32
  %t1651 = llvm.intr.maxnum(%t1463, %t1464) : (f32, f32) -> f32
  %t1652 = llvm.intr.maxnum(%t1467, %t1468) : (f32, f32) -> f32
  %t1653 = llvm.intr.maxnum(%t1471, %t1472) : (f32, f32) -> f32
  %t1654 = llvm.intr.maxnum(%t1475, %t1476) : (f32, f32) -> f32
  %t1655 = llvm.intr.maxnum(%t1479, %t1480) : (f32, f32) -> f32
  %t1656 = llvm.intr.maxnum(%t1483, %t1484) : (f32, f32) -> f32
  %t1657 = llvm.intr.maxnum(%t1487, %t1488) : (f32, f32) -> f32
  %t1658 = llvm.intr.maxnum(%t1491, %t1492) : (f32, f32) -> f32
  %t1659 = llvm.intr.maxnum(%t1495, %t1496) : (f32, f32) -> f32
  %t1660 = llvm.intr.maxnum(%t1499, %t1500) : (f32, f32) -> f32
  %t1661 = llvm.intr.maxnum(%t1503, %t1504) : (f32, f32) -> f32
  %t1662 = llvm.intr.maxnum(%t1646, %t1647) : (f32, f32) -> f32
  %t1663 = llvm.intr.maxnum(%t1648, %t1649) : (f32, f32) -> f32
  %t1664 = llvm.intr.maxnum(%t1650, %t1651) : (f32, f32) -> f32
  %t1665 = llvm.intr.maxnum(%t1652, %t1653) : (f32, f32) -> f32
  %t1666 = llvm.intr.maxnum(%t1654, %t1655) : (f32, f32) -> f32
  %t1667 = llvm.intr.maxnum(%t1656, %t1657) : (f32, f32) -> f32
  %t1668 = llvm.intr.maxnum(%t1658, %t1659) : (f32, f32) -> f32
  %t1669 = llvm.intr.maxnum(%t1660, %t1661) : (f32, f32) -> f32
  %t1670 = llvm.intr.maxnum(%t1662, %t1663) : (f32, f32) -> f32
  %t1671 = llvm.intr.maxnum(%t1664, %t1665) : (f32, f32) -> f32
  %t1672 = llvm.intr.maxnum(%t1666, %t1667) : (f32, f32) -> f32
  %t1673 = llvm.intr.maxnum(%t1668, %t1669) : (f32, f32) -> f32
  %t1674 = llvm.intr.maxnum(%t1670, %t1671) : (f32, f32) -> f32
  %t1675 = llvm.intr.maxnum(%t1672, %t1673) : (f32, f32) -> f32
  %t1676 = llvm.intr.maxnum(%t1674, %t1675) : (f32, f32) -> f32
  %t1677 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 1, 31, -1;", "=f,f,~{memory}" %t1676 : (f32) -> f32
  %t1678 = llvm.intr.maxnum(%t1676, %t1677) : (f32, f32) -> f32
  %t1679 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 2, 31, -1;", "=f,f,~{memory}" %t1678 : (f32) -> f32
  %t1680 = llvm.intr.maxnum(%t1678, %t1679) : (f32, f32) -> f32
  %t1681 = llvm.intr.maxnum(%t1680, %t991) : (f32, f32) -> f32
  %t1682 = llvm.fcmp "oeq" %t1681, %t1507 : f32
  %t1683 = llvm.select %t1682, %t1508, %t1681 : i1, f32
  %t1684 = llvm.fmul %t1683, %t1506 : f32
  %t1685 = llvm.intr.fma(%t991, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1686 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1685 : (f32) -> f32
  %t1687 = llvm.intr.fma(%t1443, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1688 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1687 : (f32) -> f32
  %t1689 = llvm.intr.fma(%t1444, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1690 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1689 : (f32) -> f32
  %t1691 = llvm.intr.fma(%t1447, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1692 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1691 : (f32) -> f32
  %t1693 = llvm.intr.fma(%t1448, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1694 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1693 : (f32) -> f32
  %t1695 = llvm.intr.fma(%t1451, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1696 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1695 : (f32) -> f32
  %t1697 = llvm.intr.fma(%t1452, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1698 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1697 : (f32) -> f32
  %t1699 = llvm.intr.fma(%t1455, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1700 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1699 : (f32) -> f32
  %t1701 = llvm.intr.fma(%t1456, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1702 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1701 : (f32) -> f32
  %t1703 = llvm.intr.fma(%t1459, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1704 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1703 : (f32) -> f32
  %t1705 = llvm.intr.fma(%t1460, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1706 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1705 : (f32) -> f32
  %t1707 = llvm.intr.fma(%t1463, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1708 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1707 : (f32) -> f32
  %t1709 = llvm.intr.fma(%t1464, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1710 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1709 : (f32) -> f32
  %t1711 = llvm.intr.fma(%t1467, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1712 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1711 : (f32) -> f32
  %t1713 = llvm.intr.fma(%t1468, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1714 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1713 : (f32) -> f32
  %t1715 = llvm.intr.fma(%t1471, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1716 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1715 : (f32) -> f32
  %t1717 = llvm.intr.fma(%t1472, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1718 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1717 : (f32) -> f32
  %t1719 = llvm.intr.fma(%t1475, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1720 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1719 : (f32) -> f32
  %t1721 = llvm.intr.fma(%t1476, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1722 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1721 : (f32) -> f32
  %t1723 = llvm.intr.fma(%t1479, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1724 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1723 : (f32) -> f32
  %t1725 = llvm.intr.fma(%t1480, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1726 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1725 : (f32) -> f32
  %t1727 = llvm.intr.fma(%t1483, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1728 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1727 : (f32) -> f32
  %t1729 = llvm.intr.fma(%t1484, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1730 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1729 : (f32) -> f32
  %t1731 = llvm.intr.fma(%t1487, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1732 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1731 : (f32) -> f32
  %t1733 = llvm.intr.fma(%t1488, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1734 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1733 : (f32) -> f32
  %t1735 = llvm.intr.fma(%t1491, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1736 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1735 : (f32) -> f32
  %t1737 = llvm.intr.fma(%t1492, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1738 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1737 : (f32) -> f32
  %t1739 = llvm.intr.fma(%t1495, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1740 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1739 : (f32) -> f32
  %t1741 = llvm.intr.fma(%t1496, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1742 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1741 : (f32) -> f32
  %t1743 = llvm.intr.fma(%t1499, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1744 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1743 : (f32) -> f32
  %t1745 = llvm.intr.fma(%t1500, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1746 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1745 : (f32) -> f32
  %t1747 = llvm.intr.fma(%t1503, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1748 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1747 : (f32) -> f32
  %t1749 = llvm.intr.fma(%t1504, %t1505, %t1684) : (f32, f32, f32) -> f32
  %t1750 = llvm.inline_asm asm_dialect = att "ex2.approx.ftz.f32 $0, $1;", "=f,f" %t1749 : (f32) -> f32
  %t1751 = llvm.fadd %t1688, %t1690 : f32
  %t1752 = llvm.fadd %t1692, %t1694 : f32
  %t1753 = llvm.fadd %t1696, %t1698 : f32
  %t1754 = llvm.fadd %t1700, %t1702 : f32
  %t1755 = llvm.fadd %t1704, %t1706 : f32
  %t1756 = llvm.fadd %t1708, %t1710 : f32
  %t1757 = llvm.fadd %t1712, %t1714 : f32
  %t1758 = llvm.fadd %t1716, %t1718 : f32
  %t1759 = llvm.fadd %t1720, %t1722 : f32
  %t1760 = llvm.fadd %t1724, %t1726 : f32
  %t1761 = llvm.fadd %t1728, %t1730 : f32
  %t1762 = llvm.fadd %t1732, %t1734 : f32
  %t1763 = llvm.fadd %t1736, %t1738 : f32
  %t1764 = llvm.fadd %t1740, %t1742 : f32
  %t1765 = llvm.fadd %t1744, %t1746 : f32
  %t1766 = llvm.fadd %t1748, %t1750 : f32
  %t1767 = llvm.fadd %t1751, %t1752 : f32
  %t1768 = llvm.fadd %t1753, %t1754 : f32
  %t1769 = llvm.fadd %t1755, %t1756 : f32
  %t1770 = llvm.fadd %t1757, %t1758 : f32
  %t1771 = llvm.fadd %t1759, %t1760 : f32
  %t1772 = llvm.fadd %t1761, %t1762 : f32
  %t1773 = llvm.fadd %t1763, %t1764 : f32
  %t1774 = llvm.fadd %t1765, %t1766 : f32
  %t1775 = llvm.fadd %t1767, %t1768 : f32
  %t1776 = llvm.fadd %t1769, %t1770 : f32
  %t1777 = llvm.fadd %t1771, %t1772 : f32
  %t1778 = llvm.fadd %t1773, %t1774 : f32
  %t1779 = llvm.fadd %t1775, %t1776 : f32
  %t1780 = llvm.fadd %t1777, %t1778 : f32
  %t1781 = llvm.fadd %t1779, %t1780 : f32
  %t1782 = llvm.intr.fma(%t993, %t1686, %t1781) : (f32, f32, f32) -> f32
  %t1783 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred yes, no; .reg .b64 a, b; setp.eq.b32 yes, 0, 0; setp.ne.b32 no, 0, 0; wgmma.wait_group.sync.aligned 0; }", "=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,~{memory}" %t994, %t995, %t996, %t997, %t998, %t999, %t1000, %t1001, %t1002, %t1003, %t1004, %t1005, %t1006, %t1007, %t1008, %t1009, %t1010, %t1011, %t1012, %t1013, %t1014, %t1015, %t1016, %t1017, %t1018, %t1019, %t1020, %t1021, %t1022, %t1023, %t1024, %t1025, %t1145, %t1146, %t1147, %t1148, %t1149, %t1150, %t1151, %t1152, %t1153, %t1154, %t1155, %t1156, %t1157, %t1158, %t1159, %t1160 : (i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) -> !sums16
  %t1784 = llvm.extractvalue %t1783[0] : !sums16
  %t1785 = llvm.extractvalue %t1783[1] : !sums16
  %t1786 = llvm.extractvalue %t1783[2] : !sums16
  %t1787 = llvm.extractvalue %t1783[3] : !sums16
  %t1788 = llvm.extractvalue %t1783[4] : !sums16
  %t1789 = llvm.extractvalue %t1783[5] : !sums16
  %t1790 = llvm.extractvalue %t1783[6] : !sums16
  %t1791 = llvm.extractvalue %t1783[7] : !sums16
  %t1792 = llvm.extractvalue %t1783[8] : !sums16
  %t1793 = llvm.extractvalue %t1783[9] : !sums16
  %t1794 = llvm.extractvalue %t1783[10] : !sums16
  %t1795 = llvm.extractvalue %t1783[11] : !sums16
  %t1796 = llvm.extractvalue %t1783[12] : !sums16
  %t1797 = llvm.extractvalue %t1783[13] : !sums16
  %t1798 = llvm.extractvalue %t1783[14] : !sums16
  %t1799 = llvm.extractvalue %t1783[15] : !sums16
  %t1800 = llvm.mlir.constant(0 : i32) : i32
  %t1801 = llvm.icmp "eq" %t10, %t1800 : i32
  %t1802 = llvm.zext %t1801 : i1 to i32
  %t1803 = llvm.mlir.constant(3 : i32) : i32
  %t1804 = llvm.shl %t1050, %t1803 : i32
  %t1805 = llvm.add %t22, %t1804 : i32
  %t1806 = llvm.mlir.constant(48 : i32) : i32
  %t1807 = llvm.add %t1805, %t1806 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; setp.ne.b32 p, $1, 0; @p mbarrier.arrive.shared::cta.b64 _, [$0]; }", "r,r,~{memory}" %t1807, %t1802 : (i32, i32) -> ()
  %t1808 = llvm.mlir.constant(1 : i32) : i32
  %t1809 = llvm.add %t987, %t1808 : i32
  %t1810 = llvm.mlir.constant(1 : i32) : i32
  %t1811 = llvm.add %t1050, %t1810 : i32
  %t1812 = llvm.mlir.constant(6 : i32) : i32
  %t1813 = llvm.icmp "eq" %t1811, %t1812 : i32
  %t1814 = llvm.mlir.constant(0 : i32) : i32
  %t1815 = llvm.mlir.constant(1 : i32) : i32
  %t1816 = llvm.select %t1813, %t1815, %t1814 : i1, i32
  %t1817 = llvm.select %t1813, %t1814, %t1811 : i1, i32
  %t1818 = llvm.xor %t1051, %t1816 : i32
  %t1819 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1553, %t1551 : (f32, f32) -> i32
  %t1820 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1690, %t1688 : (f32, f32) -> i32
  %t1821 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1557, %t1555 : (f32, f32) -> i32
  %t1822 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1694, %t1692 : (f32, f32) -> i32
  %t1823 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1561, %t1559 : (f32, f32) -> i32
  %t1824 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1698, %t1696 : (f32, f32) -> i32
  %t1825 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1565, %t1563 : (f32, f32) -> i32
  %t1826 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1702, %t1700 : (f32, f32) -> i32
  %t1827 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1569, %t1567 : (f32, f32) -> i32
  %t1828 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1706, %t1704 : (f32, f32) -> i32
  %t1829 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1573, %t1571 : (f32, f32) -> i32
  %t1830 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1710, %t1708 : (f32, f32) -> i32
  %t1831 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1577, %t1575 : (f32, f32) -> i32
  %t1832 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1714, %t1712 : (f32, f32) -> i32
  %t1833 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1581, %t1579 : (f32, f32) -> i32
  %t1834 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1718, %t1716 : (f32, f32) -> i32
  %t1835 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1585, %t1583 : (f32, f32) -> i32
  %t1836 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1722, %t1720 : (f32, f32) -> i32
  %t1837 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1589, %t1587 : (f32, f32) -> i32
  %t1838 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1726, %t1724 : (f32, f32) -> i32
  %t1839 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1593, %t1591 : (f32, f32) -> i32
  %t1840 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1730, %t1728 : (f32, f32) -> i32
  %t1841 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1597, %t1595 : (f32, f32) -> i32
  %t1842 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1734, %t1732 : (f32, f32) -> i32
  %t1843 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1601, %t1599 : (f32, f32) -> i32
  %t1844 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1738, %t1736 : (f32, f32) -> i32
  %t1845 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1605, %t1603 : (f32, f32) -> i32
  %t1846 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1742, %t1740 : (f32, f32) -> i32
  %t1847 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1609, %t1607 : (f32, f32) -> i32
  %t1848 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1746, %t1744 : (f32, f32) -> i32
  %t1849 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1613, %t1611 : (f32, f32) -> i32
  %t1850 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1750, %t1748 : (f32, f32) -> i32
  %t1851 = llvm.fmul %t1784, %t1549 : f32
  %t1852 = llvm.fmul %t1785, %t1549 : f32
  %t1853 = llvm.fmul %t1786, %t1686 : f32
  %t1854 = llvm.fmul %t1787, %t1686 : f32
  %t1855 = llvm.fmul %t1788, %t1549 : f32
  %t1856 = llvm.fmul %t1789, %t1549 : f32
  %t1857 = llvm.fmul %t1790, %t1686 : f32
  %t1858 = llvm.fmul %t1791, %t1686 : f32
  %t1859 = llvm.fmul %t1792, %t1549 : f32
  %t1860 = llvm.fmul %t1793, %t1549 : f32
  %t1861 = llvm.fmul %t1794, %t1686 : f32
  %t1862 = llvm.fmul %t1795, %t1686 : f32
  %t1863 = llvm.fmul %t1796, %t1549 : f32
  %t1864 = llvm.fmul %t1797, %t1549 : f32
  %t1865 = llvm.fmul %t1798, %t1686 : f32
  %t1866 = llvm.fmul %t1799, %t1686 : f32
  llvm.br ^b25(%t1809, %t1817, %t1818, %t1544, %t1681, %t1645, %t1782, %t1819, %t1820, %t1821, %t1822, %t1823, %t1824, %t1825, %t1826, %t1827, %t1828, %t1829, %t1830, %t1831, %t1832, %t1833, %t1834, %t1835, %t1836, %t1837, %t1838, %t1839, %t1840, %t1841, %t1842, %t1843, %t1844, %t1845, %t1846, %t1847, %t1848, %t1849, %t1850, %t1851, %t1852, %t1853, %t1854, %t1855, %t1856, %t1857, %t1858, %t1859, %t1860, %t1861, %t1862, %t1863, %t1864, %t1865, %t1866 : i32, i32, i32, f32, f32, f32, f32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b27:
  %t1867 = llvm.mlir.constant(3 : i32) : i32
  %t1868 = llvm.shl %t988, %t1867 : i32
  %t1869 = llvm.add %t22, %t1868 : i32
  llvm.br ^b34
^b34:
  %t1870 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t1869, %t989 : (i32, i32) -> i32
  %t1871 = llvm.mlir.constant(0 : i32) : i32
  %t1872 = llvm.icmp "ne" %t1870, %t1871 : i32
  llvm.cond_br %t1872, ^b35, ^b34
^b35:
  %t1873 = llvm.mlir.constant(16384 : i32) : i32
  %t1874 = llvm.mul %t988, %t1873 : i32
  %t1875 = llvm.add %t18, %t1874 : i32
  %t1876 = llvm.mlir.constant(4611686293372403712 : i64) : i64
  %t1877 = llvm.mlir.constant(4 : i32) : i32
  %t1878 = llvm.lshr %t1875, %t1877 : i32
  %t1879 = llvm.zext %t1878 : i32 to i64
  %t1880 = llvm.or %t1876, %t1879 : i64
  %t1881 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred yes, no; .reg .b64 a, b; setp.eq.b32 yes, 0, 0; setp.ne.b32 no, 0, 0; wgmma.fence.sync.aligned; add.s64 b, $16, 0; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15}, {$17, $18, $19, $20}, b, yes, 1, 1, 1; add.s64 b, $16, 128; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15}, {$21, $22, $23, $24}, b, yes, 1, 1, 1; add.s64 b, $16, 256; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15}, {$25, $26, $27, $28}, b, yes, 1, 1, 1; add.s64 b, $16, 384; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15}, {$29, $30, $31, $32}, b, yes, 1, 1, 1; add.s64 b, $16, 512; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15}, {$33, $34, $35, $36}, b, yes, 1, 1, 1; add.s64 b, $16, 640; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15}, {$37, $38, $39, $40}, b, yes, 1, 1, 1; add.s64 b, $16, 768; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15}, {$41, $42, $43, $44}, b, yes, 1, 1, 1; add.s64 b, $16, 896; wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15}, {$45, $46, $47, $48}, b, yes, 1, 1, 1; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0; }", "=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,l,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,~{memory}" %t1880, %t994, %t995, %t996, %t997, %t998, %t999, %t1000, %t1001, %t1002, %t1003, %t1004, %t1005, %t1006, %t1007, %t1008, %t1009, %t1010, %t1011, %t1012, %t1013, %t1014, %t1015, %t1016, %t1017, %t1018, %t1019, %t1020, %t1021, %t1022, %t1023, %t1024, %t1025, %t1026, %t1027, %t1028, %t1029, %t1030, %t1031, %t1032, %t1033, %t1034, %t1035, %t1036, %t1037, %t1038, %t1039, %t1040, %t1041 : (i64, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) -> !sums16
  %t1882 = llvm.extractvalue %t1881[0] : !sums16
  %t1883 = llvm.extractvalue %t1881[1] : !sums16
  %t1884 = llvm.extractvalue %t1881[2] : !sums16
  %t1885 = llvm.extractvalue %t1881[3] : !sums16
  %t1886 = llvm.extractvalue %t1881[4] : !sums16
  %t1887 = llvm.extractvalue %t1881[5] : !sums16
  %t1888 = llvm.extractvalue %t1881[6] : !sums16
  %t1889 = llvm.extractvalue %t1881[7] : !sums16
  %t1890 = llvm.extractvalue %t1881[8] : !sums16
  %t1891 = llvm.extractvalue %t1881[9] : !sums16
  %t1892 = llvm.extractvalue %t1881[10] : !sums16
  %t1893 = llvm.extractvalue %t1881[11] : !sums16
  %t1894 = llvm.extractvalue %t1881[12] : !sums16
  %t1895 = llvm.extractvalue %t1881[13] : !sums16
  %t1896 = llvm.extractvalue %t1881[14] : !sums16
  %t1897 = llvm.extractvalue %t1881[15] : !sums16
  %t1898 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 1, 31, -1;", "=f,f,~{memory}" %t992 : (f32) -> f32
  %t1899 = llvm.fadd %t992, %t1898 : f32
  %t1900 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 2, 31, -1;", "=f,f,~{memory}" %t1899 : (f32) -> f32
  %t1901 = llvm.fadd %t1899, %t1900 : f32
  %t1902 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 1, 31, -1;", "=f,f,~{memory}" %t993 : (f32) -> f32
  %t1903 = llvm.fadd %t993, %t1902 : f32
  %t1904 = llvm.inline_asm has_side_effects asm_dialect = att "shfl.sync.bfly.b32 $0, $1, 2, 31, -1;", "=f,f,~{memory}" %t1903 : (f32) -> f32
  %t1905 = llvm.fadd %t1903, %t1904 : f32
  %t1906 = llvm.mlir.constant(0x00800000 : f32) : f32
  %t1907 = llvm.mlir.constant(0x3F800000 : f32) : f32
  %t1908 = llvm.intr.maxnum(%t1901, %t1906) : (f32, f32) -> f32
  %t1909 = llvm.fdiv %t1907, %t1908 : f32
  %t1910 = llvm.intr.maxnum(%t1905, %t1906) : (f32, f32) -> f32
  %t1911 = llvm.fdiv %t1907, %t1910 : f32
  %t1912 = llvm.fmul %t1882, %t1909 : f32
  %t1913 = llvm.fmul %t1883, %t1909 : f32
  %t1914 = llvm.fmul %t1884, %t1911 : f32
  %t1915 = llvm.fmul %t1885, %t1911 : f32
  %t1916 = llvm.fmul %t1886, %t1909 : f32
  %t1917 = llvm.fmul %t1887, %t1909 : f32
  %t1918 = llvm.fmul %t1888, %t1911 : f32
  %t1919 = llvm.fmul %t1889, %t1911 : f32
  %t1920 = llvm.fmul %t1890, %t1909 : f32
  %t1921 = llvm.fmul %t1891, %t1909 : f32
  %t1922 = llvm.fmul %t1892, %t1911 : f32
  %t1923 = llvm.fmul %t1893, %t1911 : f32
  %t1924 = llvm.fmul %t1894, %t1909 : f32
  %t1925 = llvm.fmul %t1895, %t1909 : f32
  %t1926 = llvm.fmul %t1896, %t1911 : f32
  %t1927 = llvm.fmul %t1897, %t1911 : f32
  %t1928 = llvm.mlir.constant(65 : i32) : i32
  %t1929 = llvm.mlir.constant(3 : i32) : i32
  %t1930 = llvm.and %t10, %t1929 : i32
  %t1931 = llvm.mlir.constant(1 : i32) : i32
  %t1932 = llvm.shl %t1930, %t1931 : i32
  %t1933 = llvm.mlir.constant(2 : i32) : i32
  %t1934 = llvm.mul %t1932, %t1933 : i32
  %t1935 = llvm.zext %t1934 : i32 to i64
  %t1936 = llvm.icmp "slt" %t215, %t1928 : i32
  llvm.cond_br %t1936, ^b36, ^b37
^b36:
  %t1937 = llvm.zext %t215 : i32 to i64
  %t1938 = llvm.mlir.constant(0 : i64) : i64
  %t1939 = llvm.mlir.constant(8320 : i64) : i64
  %t1940 = llvm.mul %t40, %t1939 : i64
  %t1941 = llvm.add %t1938, %t1940 : i64
  %t1942 = llvm.mlir.constant(128 : i64) : i64
  %t1943 = llvm.mul %t1937, %t1942 : i64
  %t1944 = llvm.add %t1941, %t1943 : i64
  %t1945 = llvm.mlir.constant(32 : i64) : i64
  %t1946 = llvm.mul %t41, %t1945 : i64
  %t1947 = llvm.add %t1944, %t1946 : i64
  %t1948 = llvm.mlir.constant(2 : i64) : i64
  %t1949 = llvm.mul %t1947, %t1948 : i64
  %t1950 = llvm.getelementptr %arg1[%t1949] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t1951 = llvm.getelementptr %t1950[%t1935] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t1952 = llvm.getelementptr %t1951[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t1953 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1913, %t1912 : (f32, f32) -> i32
  llvm.store %t1953, %t1952 {alignment = 4 : i64} : i32, !llvm.ptr<1>
  %t1954 = llvm.getelementptr %t1951[16] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t1955 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1917, %t1916 : (f32, f32) -> i32
  llvm.store %t1955, %t1954 {alignment = 4 : i64} : i32, !llvm.ptr<1>
  %t1956 = llvm.getelementptr %t1951[32] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t1957 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1921, %t1920 : (f32, f32) -> i32
  llvm.store %t1957, %t1956 {alignment = 4 : i64} : i32, !llvm.ptr<1>
  %t1958 = llvm.getelementptr %t1951[48] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t1959 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1925, %t1924 : (f32, f32) -> i32
  llvm.store %t1959, %t1958 {alignment = 4 : i64} : i32, !llvm.ptr<1>
  llvm.br ^b37
^b37:
  %t1960 = llvm.icmp "slt" %t217, %t1928 : i32
  llvm.cond_br %t1960, ^b38, ^b39
^b38:
  %t1961 = llvm.zext %t217 : i32 to i64
  %t1962 = llvm.mlir.constant(0 : i64) : i64
  %t1963 = llvm.mlir.constant(8320 : i64) : i64
  %t1964 = llvm.mul %t40, %t1963 : i64
  %t1965 = llvm.add %t1962, %t1964 : i64
  %t1966 = llvm.mlir.constant(128 : i64) : i64
  %t1967 = llvm.mul %t1961, %t1966 : i64
  %t1968 = llvm.add %t1965, %t1967 : i64
  %t1969 = llvm.mlir.constant(32 : i64) : i64
  %t1970 = llvm.mul %t41, %t1969 : i64
  %t1971 = llvm.add %t1968, %t1970 : i64
  %t1972 = llvm.mlir.constant(2 : i64) : i64
  %t1973 = llvm.mul %t1971, %t1972 : i64
  %t1974 = llvm.getelementptr %arg1[%t1973] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t1975 = llvm.getelementptr %t1974[%t1935] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t1976 = llvm.getelementptr %t1975[0] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t1977 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1915, %t1914 : (f32, f32) -> i32
  llvm.store %t1977, %t1976 {alignment = 4 : i64} : i32, !llvm.ptr<1>
  %t1978 = llvm.getelementptr %t1975[16] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t1979 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1919, %t1918 : (f32, f32) -> i32
  llvm.store %t1979, %t1978 {alignment = 4 : i64} : i32, !llvm.ptr<1>
  %t1980 = llvm.getelementptr %t1975[32] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t1981 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1923, %t1922 : (f32, f32) -> i32
  llvm.store %t1981, %t1980 {alignment = 4 : i64} : i32, !llvm.ptr<1>
  %t1982 = llvm.getelementptr %t1975[48] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t1983 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t1927, %t1926 : (f32, f32) -> i32
  llvm.store %t1983, %t1982 {alignment = 4 : i64} : i32, !llvm.ptr<1>
  llvm.br ^b39
^b39:
  %t1984 = llvm.mlir.constant(3 : i32) : i32
  %t1985 = llvm.and %t10, %t1984 : i32
  %t1986 = llvm.mlir.constant(1 : i32) : i32
  %t1987 = llvm.shl %t1985, %t1986 : i32
  %t1988 = llvm.mlir.constant(0 : i32) : i32
  %t1989 = llvm.mlir.constant(65 : i32) : i32
  %t1990 = llvm.icmp "eq" %t1987, %t1988 : i32
  %t1991 = llvm.mlir.constant(0x3E3504F3 : f32) : f32
  %t1992 = llvm.mlir.constant(0x3F317218 : f32) : f32
  %t1993 = llvm.icmp "slt" %t215, %t1989 : i32
  %t1994 = llvm.and %t1993, %t1990 : i1
  llvm.cond_br %t1994, ^b40, ^b41
^b40:
  %t1995 = llvm.zext %t215 : i32 to i64
  %t1996 = llvm.mlir.constant(0 : i64) : i64
  %t1997 = llvm.mlir.constant(260 : i64) : i64
  %t1998 = llvm.mul %t40, %t1997 : i64
  %t1999 = llvm.add %t1996, %t1998 : i64
  %t2000 = llvm.mlir.constant(65 : i64) : i64
  %t2001 = llvm.mul %t41, %t2000 : i64
  %t2002 = llvm.add %t1999, %t2001 : i64
  %t2003 = llvm.mlir.constant(1 : i64) : i64
  %t2004 = llvm.mul %t1995, %t2003 : i64
  %t2005 = llvm.add %t2002, %t2004 : i64
  %t2006 = llvm.mlir.constant(4 : i64) : i64
  %t2007 = llvm.mul %t2005, %t2006 : i64
  %t2008 = llvm.getelementptr %arg2[%t2007] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t2009 = llvm.inline_asm asm_dialect = att "lg2.approx.f32 $0, $1;", "=f,f" %t1901 : (f32) -> f32
  %t2010 = llvm.fmul %t2009, %t1992 : f32
  %t2011 = llvm.intr.fma(%t990, %t1991, %t2010) : (f32, f32, f32) -> f32
  llvm.store %t2011, %t2008 {alignment = 4 : i64} : f32, !llvm.ptr<1>
  llvm.br ^b41
^b41:
  %t2012 = llvm.icmp "slt" %t217, %t1989 : i32
  %t2013 = llvm.and %t2012, %t1990 : i1
  llvm.cond_br %t2013, ^b42, ^b43
^b42:
  %t2014 = llvm.zext %t217 : i32 to i64
  %t2015 = llvm.mlir.constant(0 : i64) : i64
  %t2016 = llvm.mlir.constant(260 : i64) : i64
  %t2017 = llvm.mul %t40, %t2016 : i64
  %t2018 = llvm.add %t2015, %t2017 : i64
  %t2019 = llvm.mlir.constant(65 : i64) : i64
  %t2020 = llvm.mul %t41, %t2019 : i64
  %t2021 = llvm.add %t2018, %t2020 : i64
  %t2022 = llvm.mlir.constant(1 : i64) : i64
  %t2023 = llvm.mul %t2014, %t2022 : i64
  %t2024 = llvm.add %t2021, %t2023 : i64
  %t2025 = llvm.mlir.constant(4 : i64) : i64
  %t2026 = llvm.mul %t2024, %t2025 : i64
  %t2027 = llvm.getelementptr %arg2[%t2026] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t2028 = llvm.inline_asm asm_dialect = att "lg2.approx.f32 $0, $1;", "=f,f" %t1905 : (f32) -> f32
  %t2029 = llvm.fmul %t2028, %t1992 : f32
  %t2030 = llvm.intr.fma(%t991, %t1991, %t2029) : (f32, f32, f32) -> f32
  llvm.store %t2030, %t2027 {alignment = 4 : i64} : f32, !llvm.ptr<1>
  llvm.br ^b43
^b43:
  llvm.br ^b5
^b5:
  llvm.return
}
}
