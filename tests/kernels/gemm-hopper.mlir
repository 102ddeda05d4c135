// matmul+add+add: wgmma 64x64, 6 steps, rows copied along k, columns computed by eights along k
!sums = !llvm.struct<(f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)>
module {
llvm.mlir.global external @ring() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%p0: i64, %p1: i64, %p2: i64, %p3: i64, %p4: i64, %ext0: i64, %tiles: i64, %map0: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 256>, nvvm.minctasm = 2 : i32} {
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
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+0], 129;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+8], 129;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+16], 129;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+24], 129;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+32], 129;", "r,~{memory}" %t13 : (i32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.init.shared::cta.b64 [$0+40], 129;", "r,~{memory}" %t13 : (i32) -> ()
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
  %t18 = nvvm.read.ptx.sreg.ctaid.x : i32
  %t19 = nvvm.read.ptx.sreg.nctaid.x : i32
  %t20 = llvm.trunc %tiles : i64 to i32
  %t21 = llvm.mlir.constant(63 : i64) : i64
  %t22 = llvm.add %size0, %t21 : i64
  %t23 = llvm.mlir.constant(64 : i64) : i64
  %t24 = llvm.udiv %t22, %t23 : i64
  %t25 = llvm.trunc %t24 : i64 to i32
  %t26 = llvm.mlir.constant(63 : i64) : i64
  %t27 = llvm.add %size1, %t26 : i64
  %t28 = llvm.mlir.constant(64 : i64) : i64
  %t29 = llvm.udiv %t27, %t28 : i64
  %t30 = llvm.trunc %t29 : i64 to i32
  %t31 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b6(%t18, %t31, %t31 : i32, i32, i32)
^b6(%t32: i32, %t33: i32, %t34: i32):
  %t35 = llvm.icmp "slt" %t32, %t20 : i32
  llvm.cond_br %t35, ^b7, ^b8
^b7:
  %t36 = llvm.mul %t25, %t30 : i32
  %t37 = llvm.mlir.constant(8 : i32) : i32
  %t38 = llvm.mul %t30, %t37 : i32
  %t39 = llvm.udiv %t32, %t38 : i32
  %t40 = llvm.urem %t32, %t38 : i32
  %t41 = llvm.mlir.constant(8 : i32) : i32
  %t42 = llvm.mul %t39, %t41 : i32
  %t43 = llvm.sub %t25, %t42 : i32
  %t44 = llvm.mlir.constant(8 : i32) : i32
  %t45 = llvm.intr.umin(%t43, %t44) : (i32, i32) -> i32
  %t46 = llvm.urem %t40, %t45 : i32
  %t47 = llvm.udiv %t40, %t45 : i32
  %t48 = llvm.add %t42, %t46 : i32
  %t49 = llvm.zext %t48 : i32 to i64
  %t50 = llvm.mlir.constant(64 : i64) : i64
  %t51 = llvm.mul %t49, %t50 : i64
  %t52 = llvm.zext %t47 : i32 to i64
  %t53 = llvm.mlir.constant(64 : i64) : i64
  %t54 = llvm.mul %t52, %t53 : i64
  %t55 = llvm.mlir.constant(63 : i64) : i64
  %t56 = llvm.add %size2, %t55 : i64
  %t57 = llvm.mlir.constant(64 : i64) : i64
  %t58 = llvm.udiv %t56, %t57 : i64
  %t59 = llvm.trunc %t58 : i64 to i32
  %t60 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b9(%t60, %t33, %t34 : i32, i32, i32)
^b9(%t61: i32, %t62: i32, %t63: i32):
  %t64 = llvm.icmp "slt" %t61, %t59 : i32
  llvm.cond_br %t64, ^b10, ^b11
^b10:
  %t65 = llvm.mlir.constant(1 : i32) : i32
  %t66 = llvm.xor %t63, %t65 : i32
  %t67 = llvm.mlir.constant(3 : i32) : i32
  %t68 = llvm.shl %t62, %t67 : i32
  %t69 = llvm.add %t13, %t68 : i32
  %t70 = llvm.mlir.constant(48 : i32) : i32
  %t71 = llvm.add %t69, %t70 : i32
  llvm.br ^b12
^b12:
  %t72 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t71, %t66 : (i32, i32) -> i32
  %t73 = llvm.mlir.constant(0 : i32) : i32
  %t74 = llvm.icmp "ne" %t72, %t73 : i32
  llvm.cond_br %t74, ^b13, ^b12
^b13:
  %t75 = llvm.zext %t61 : i32 to i64
  %t76 = llvm.mlir.constant(64 : i64) : i64
  %t77 = llvm.mul %t75, %t76 : i64
  %t78 = llvm.mlir.constant(3 : i32) : i32
  %t79 = llvm.shl %t62, %t78 : i32
  %t80 = llvm.add %t13, %t79 : i32
  %t81 = llvm.mlir.constant(16384 : i32) : i32
  %t82 = llvm.mul %t62, %t81 : i32
  %t83 = llvm.add %t9, %t82 : i32
  %t84 = llvm.mlir.constant(8192 : i32) : i32
  %t85 = llvm.add %t83, %t84 : i32
  %t86 = llvm.mlir.constant(128 : i32) : i32
  %t87 = llvm.icmp "eq" %t0, %t86 : i32
  llvm.cond_br %t87, ^b14, ^b15
^b14:
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 8192;", "r,~{memory}" %t80 : (i32) -> ()
  %t88 = llvm.mlir.constant(0 : i32) : i32
  %t89 = llvm.add %t83, %t88 : i32
  %t90 = llvm.trunc %t77 : i64 to i32
  %t91 = llvm.trunc %t51 : i64 to i32
  %t92 = llvm.mlir.constant(0 : i32) : i32
  %t93 = llvm.add %t91, %t92 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3}], [$4];", "r,l,r,r,r,~{memory}" %t89, %map0, %t90, %t93, %t80 : (i32, !llvm.ptr, i32, i32, i32) -> ()
  llvm.br ^b15
^b15:
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  %t94 = llvm.mlir.constant(7 : i32) : i32
  %t95 = llvm.and %t0, %t94 : i32
  %t96 = llvm.mlir.constant(127 : i32) : i32
  %t97 = llvm.and %t0, %t96 : i32
  %t98 = llvm.mlir.constant(3 : i32) : i32
  %t99 = llvm.lshr %t97, %t98 : i32
  %t100 = llvm.mlir.constant(7 : i32) : i32
  %t101 = llvm.and %t99, %t100 : i32
  %t102 = llvm.xor %t95, %t101 : i32
  %t103 = llvm.mlir.constant(4 : i32) : i32
  %t104 = llvm.shl %t102, %t103 : i32
  %t105 = llvm.mlir.constant(7 : i32) : i32
  %t106 = llvm.shl %t99, %t105 : i32
  %t107 = llvm.add %t106, %t104 : i32
  %t108 = llvm.add %t85, %t107 : i32
  %t109 = llvm.zext %t95 : i32 to i64
  %t110 = llvm.mlir.constant(3 : i64) : i64
  %t111 = llvm.shl %t109, %t110 : i64
  %t112 = llvm.zext %t99 : i32 to i64
  %t113 = llvm.add %t77, %t111 : i64
  %t114 = llvm.add %t54, %t112 : i64
  %t115 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b16(%t115, %t108 : i32, i32)
^b16(%t116: i32, %t117: i32):
  %t118 = llvm.mlir.constant(1 : i32) : i32
  %t119 = llvm.icmp "slt" %t116, %t118 : i32
  llvm.cond_br %t119, ^b17, ^b18
^b17:
  %t120 = llvm.zext %t116 : i32 to i64
  %t121 = llvm.mlir.constant(6 : i64) : i64
  %t122 = llvm.shl %t120, %t121 : i64
  %t123 = llvm.add %t114, %t122 : i64
  %t124 = llvm.mlir.constant(0 : i64) : i64
  %t125 = llvm.add %t113, %t124 : i64
  %t126 = llvm.mlir.constant(0 : i64) : i64
  %t127 = llvm.add %t123, %t126 : i64
  %t128 = llvm.mlir.constant(16 : i64) : i64
  %t129 = llvm.add %t123, %t128 : i64
  %t130 = llvm.mlir.constant(32 : i64) : i64
  %t131 = llvm.add %t123, %t130 : i64
  %t132 = llvm.mlir.constant(48 : i64) : i64
  %t133 = llvm.add %t123, %t132 : i64
  %t134 = llvm.mlir.constant(128 : i64) : i64
  %t135 = llvm.mlir.constant(128 : i64) : i64
  %t136 = llvm.mlir.constant(4 : i64) : i64
  %t137 = llvm.mul %t125, %t136 : i64
  %t138 = llvm.getelementptr %arg1[%t137] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t139 = llvm.mlir.constant(512 : i64) : i64
  %t140 = llvm.mul %t127, %t139 : i64
  %t141 = llvm.getelementptr %t138[%t140] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t142 = llvm.load %t141 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t143 = llvm.mlir.constant(0 : i32) : i32
  %t144 = llvm.extractelement %t142[%t143 : i32] : vector<4xf32>
  %t145 = llvm.mlir.constant(1 : i32) : i32
  %t146 = llvm.extractelement %t142[%t145 : i32] : vector<4xf32>
  %t147 = llvm.mlir.constant(2 : i32) : i32
  %t148 = llvm.extractelement %t142[%t147 : i32] : vector<4xf32>
  %t149 = llvm.mlir.constant(3 : i32) : i32
  %t150 = llvm.extractelement %t142[%t149 : i32] : vector<4xf32>
  %t151 = llvm.getelementptr %t141[16] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t152 = llvm.load %t151 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t153 = llvm.mlir.constant(0 : i32) : i32
  %t154 = llvm.extractelement %t152[%t153 : i32] : vector<4xf32>
  %t155 = llvm.mlir.constant(1 : i32) : i32
  %t156 = llvm.extractelement %t152[%t155 : i32] : vector<4xf32>
  %t157 = llvm.mlir.constant(2 : i32) : i32
  %t158 = llvm.extractelement %t152[%t157 : i32] : vector<4xf32>
  %t159 = llvm.mlir.constant(3 : i32) : i32
  %t160 = llvm.extractelement %t152[%t159 : i32] : vector<4xf32>
  %t161 = llvm.mlir.constant(4 : i64) : i64
  %t162 = llvm.mul %t125, %t161 : i64
  %t163 = llvm.getelementptr %arg1[%t162] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t164 = llvm.mlir.constant(512 : i64) : i64
  %t165 = llvm.mul %t129, %t164 : i64
  %t166 = llvm.getelementptr %t163[%t165] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t167 = llvm.load %t166 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t168 = llvm.mlir.constant(0 : i32) : i32
  %t169 = llvm.extractelement %t167[%t168 : i32] : vector<4xf32>
  %t170 = llvm.mlir.constant(1 : i32) : i32
  %t171 = llvm.extractelement %t167[%t170 : i32] : vector<4xf32>
  %t172 = llvm.mlir.constant(2 : i32) : i32
  %t173 = llvm.extractelement %t167[%t172 : i32] : vector<4xf32>
  %t174 = llvm.mlir.constant(3 : i32) : i32
  %t175 = llvm.extractelement %t167[%t174 : i32] : vector<4xf32>
  %t176 = llvm.getelementptr %t166[16] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t177 = llvm.load %t176 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t178 = llvm.mlir.constant(0 : i32) : i32
  %t179 = llvm.extractelement %t177[%t178 : i32] : vector<4xf32>
  %t180 = llvm.mlir.constant(1 : i32) : i32
  %t181 = llvm.extractelement %t177[%t180 : i32] : vector<4xf32>
  %t182 = llvm.mlir.constant(2 : i32) : i32
  %t183 = llvm.extractelement %t177[%t182 : i32] : vector<4xf32>
  %t184 = llvm.mlir.constant(3 : i32) : i32
  %t185 = llvm.extractelement %t177[%t184 : i32] : vector<4xf32>
  %t186 = llvm.mlir.constant(4 : i64) : i64
  %t187 = llvm.mul %t125, %t186 : i64
  %t188 = llvm.getelementptr %arg1[%t187] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t189 = llvm.mlir.constant(512 : i64) : i64
  %t190 = llvm.mul %t131, %t189 : i64
  %t191 = llvm.getelementptr %t188[%t190] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t192 = llvm.load %t191 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t193 = llvm.mlir.constant(0 : i32) : i32
  %t194 = llvm.extractelement %t192[%t193 : i32] : vector<4xf32>
  %t195 = llvm.mlir.constant(1 : i32) : i32
  %t196 = llvm.extractelement %t192[%t195 : i32] : vector<4xf32>
  %t197 = llvm.mlir.constant(2 : i32) : i32
  %t198 = llvm.extractelement %t192[%t197 : i32] : vector<4xf32>
  %t199 = llvm.mlir.constant(3 : i32) : i32
  %t200 = llvm.extractelement %t192[%t199 : i32] : vector<4xf32>
  %t201 = llvm.getelementptr %t191[16] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t202 = llvm.load %t201 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t203 = llvm.mlir.constant(0 : i32) : i32
  %t204 = llvm.extractelement %t202[%t203 : i32] : vector<4xf32>
  %t205 = llvm.mlir.constant(1 : i32) : i32
  %t206 = llvm.extractelement %t202[%t205 : i32] : vector<4xf32>
  %t207 = llvm.mlir.constant(2 : i32) : i32
  %t208 = llvm.extractelement %t202[%t207 : i32] : vector<4xf32>
  %t209 = llvm.mlir.constant(3 : i32) : i32
  %t210 = llvm.extractelement %t202[%t209 : i32] : vector<4xf32>
  %t211 = llvm.mlir.constant(4 : i64) : i64
  %t212 = llvm.mul %t125, %t211 : i64
  %t213 = llvm.getelementptr %arg1[%t212] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t214 = llvm.mlir.constant(512 : i64) : i64
  %t215 = llvm.mul %t133, %t214 : i64
  %t216 = llvm.getelementptr %t213[%t215] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t217 = llvm.load %t216 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t218 = llvm.mlir.constant(0 : i32) : i32
  %t219 = llvm.extractelement %t217[%t218 : i32] : vector<4xf32>
  %t220 = llvm.mlir.constant(1 : i32) : i32
  %t221 = llvm.extractelement %t217[%t220 : i32] : vector<4xf32>
  %t222 = llvm.mlir.constant(2 : i32) : i32
  %t223 = llvm.extractelement %t217[%t222 : i32] : vector<4xf32>
  %t224 = llvm.mlir.constant(3 : i32) : i32
  %t225 = llvm.extractelement %t217[%t224 : i32] : vector<4xf32>
  %t226 = llvm.getelementptr %t216[16] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i8
  %t227 = llvm.load %t226 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t228 = llvm.mlir.constant(0 : i32) : i32
  %t229 = llvm.extractelement %t227[%t228 : i32] : vector<4xf32>
  %t230 = llvm.mlir.constant(1 : i32) : i32
  %t231 = llvm.extractelement %t227[%t230 : i32] : vector<4xf32>
  %t232 = llvm.mlir.constant(2 : i32) : i32
  %t233 = llvm.extractelement %t227[%t232 : i32] : vector<4xf32>
  %t234 = llvm.mlir.constant(3 : i32) : i32
  %t235 = llvm.extractelement %t227[%t234 : i32] : vector<4xf32>
  %t236 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t146, %t144 : (f32, f32) -> i32
  %t237 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t150, %t148 : (f32, f32) -> i32
  %t238 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t156, %t154 : (f32, f32) -> i32
  %t239 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t160, %t158 : (f32, f32) -> i32
  %t240 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t171, %t169 : (f32, f32) -> i32
  %t241 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t175, %t173 : (f32, f32) -> i32
  %t242 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t181, %t179 : (f32, f32) -> i32
  %t243 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t185, %t183 : (f32, f32) -> i32
  %t244 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t196, %t194 : (f32, f32) -> i32
  %t245 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t200, %t198 : (f32, f32) -> i32
  %t246 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t206, %t204 : (f32, f32) -> i32
  %t247 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t210, %t208 : (f32, f32) -> i32
  %t248 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t221, %t219 : (f32, f32) -> i32
  %t249 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t225, %t223 : (f32, f32) -> i32
  %t250 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t231, %t229 : (f32, f32) -> i32
  %t251 = llvm.inline_asm asm_dialect = att "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f" %t235, %t233 : (f32, f32) -> i32
  %t252 = llvm.mlir.constant(0 : i32) : i32
  %t253 = llvm.add %t117, %t252 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v4.b32 [$0], {$1, $2, $3, $4};", "r,r,r,r,r,~{memory}" %t253, %t236, %t237, %t238, %t239 : (i32, i32, i32, i32, i32) -> ()
  %t254 = llvm.mlir.constant(2048 : i32) : i32
  %t255 = llvm.add %t117, %t254 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v4.b32 [$0], {$1, $2, $3, $4};", "r,r,r,r,r,~{memory}" %t255, %t240, %t241, %t242, %t243 : (i32, i32, i32, i32, i32) -> ()
  %t256 = llvm.mlir.constant(4096 : i32) : i32
  %t257 = llvm.add %t117, %t256 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v4.b32 [$0], {$1, $2, $3, $4};", "r,r,r,r,r,~{memory}" %t257, %t244, %t245, %t246, %t247 : (i32, i32, i32, i32, i32) -> ()
  %t258 = llvm.mlir.constant(6144 : i32) : i32
  %t259 = llvm.add %t117, %t258 : i32
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v4.b32 [$0], {$1, $2, $3, $4};", "r,r,r,r,r,~{memory}" %t259, %t248, %t249, %t250, %t251 : (i32, i32, i32, i32, i32) -> ()
  %t260 = llvm.mlir.constant(1 : i32) : i32
  %t261 = llvm.add %t116, %t260 : i32
  %t262 = llvm.mlir.constant(8192 : i32) : i32
  %t263 = llvm.add %t117, %t262 : i32
  llvm.br ^b16(%t261, %t263 : i32, i32)
^b18:
  llvm.inline_asm has_side_effects asm_dialect = att "fence.proxy.async.shared::cta;", "~{memory}"  : () -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.shared::cta.b64 _, [$0];", "r,~{memory}" %t80 : (i32) -> ()
  %t264 = llvm.mlir.constant(1 : i32) : i32
  %t265 = llvm.add %t61, %t264 : i32
  %t266 = llvm.mlir.constant(1 : i32) : i32
  %t267 = llvm.add %t62, %t266 : i32
  %t268 = llvm.mlir.constant(6 : i32) : i32
  %t269 = llvm.icmp "eq" %t267, %t268 : i32
  %t270 = llvm.mlir.constant(0 : i32) : i32
  %t271 = llvm.mlir.constant(1 : i32) : i32
  %t272 = llvm.select %t269, %t271, %t270 : i1, i32
  %t273 = llvm.select %t269, %t270, %t267 : i1, i32
  %t274 = llvm.xor %t63, %t272 : i32
  llvm.br ^b9(%t265, %t273, %t274 : i32, i32, i32)
^b11:
  %t275 = llvm.add %t32, %t19 : i32
  llvm.br ^b6(%t275, %t62, %t63 : i32, i32, i32)
^b8:
  llvm.br ^b5
^b4:
  %t276 = nvvm.read.ptx.sreg.ctaid.x : i32
  %t277 = nvvm.read.ptx.sreg.nctaid.x : i32
  %t278 = llvm.trunc %tiles : i64 to i32
  %t279 = llvm.mlir.constant(63 : i64) : i64
  %t280 = llvm.add %size0, %t279 : i64
  %t281 = llvm.mlir.constant(64 : i64) : i64
  %t282 = llvm.udiv %t280, %t281 : i64
  %t283 = llvm.trunc %t282 : i64 to i32
  %t284 = llvm.mlir.constant(63 : i64) : i64
  %t285 = llvm.add %size1, %t284 : i64
  %t286 = llvm.mlir.constant(64 : i64) : i64
  %t287 = llvm.udiv %t285, %t286 : i64
  %t288 = llvm.trunc %t287 : i64 to i32
  %t289 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b19(%t276, %t289, %t289 : i32, i32, i32)
^b19(%t290: i32, %t291: i32, %t292: i32):
  %t293 = llvm.icmp "slt" %t290, %t278 : i32
  llvm.cond_br %t293, ^b20, ^b21
^b20:
  %t294 = llvm.mul %t283, %t288 : i32
  %t295 = llvm.mlir.constant(8 : i32) : i32
  %t296 = llvm.mul %t288, %t295 : i32
  %t297 = llvm.udiv %t290, %t296 : i32
  %t298 = llvm.urem %t290, %t296 : i32
  %t299 = llvm.mlir.constant(8 : i32) : i32
  %t300 = llvm.mul %t297, %t299 : i32
  %t301 = llvm.sub %t283, %t300 : i32
  %t302 = llvm.mlir.constant(8 : i32) : i32
  %t303 = llvm.intr.umin(%t301, %t302) : (i32, i32) -> i32
  %t304 = llvm.urem %t298, %t303 : i32
  %t305 = llvm.udiv %t298, %t303 : i32
  %t306 = llvm.add %t300, %t304 : i32
  %t307 = llvm.zext %t306 : i32 to i64
  %t308 = llvm.mlir.constant(64 : i64) : i64
  %t309 = llvm.mul %t307, %t308 : i64
  %t310 = llvm.zext %t305 : i32 to i64
  %t311 = llvm.mlir.constant(64 : i64) : i64
  %t312 = llvm.mul %t310, %t311 : i64
  %t313 = llvm.mlir.constant(63 : i64) : i64
  %t314 = llvm.add %size2, %t313 : i64
  %t315 = llvm.mlir.constant(64 : i64) : i64
  %t316 = llvm.udiv %t314, %t315 : i64
  %t317 = llvm.trunc %t316 : i64 to i32
  %t318 = llvm.mlir.constant(0 : i32) : i32
  %t319 = llvm.mlir.constant(0x00000000 : f32) : f32
  %t320 = llvm.mlir.constant(31 : i32) : i32
  %t321 = llvm.and %t0, %t320 : i32
  %t322 = llvm.icmp "eq" %t321, %t318 : i32
  %t323 = llvm.mlir.constant(8192 : i32) : i32
  %t324 = llvm.mul %t3, %t323 : i32
  %t325 = llvm.mlir.constant(4611686293305360384 : i64) : i64
  %t326 = llvm.mlir.constant(4611686293305360384 : i64) : i64
  %t327 = llvm.mlir.constant(5 : i32) : i32
  llvm.br ^b22(%t318, %t291, %t292, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319, %t319 : i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b22(%t328: i32, %t329: i32, %t330: i32, %t331: f32, %t332: f32, %t333: f32, %t334: f32, %t335: f32, %t336: f32, %t337: f32, %t338: f32, %t339: f32, %t340: f32, %t341: f32, %t342: f32, %t343: f32, %t344: f32, %t345: f32, %t346: f32, %t347: f32, %t348: f32, %t349: f32, %t350: f32, %t351: f32, %t352: f32, %t353: f32, %t354: f32, %t355: f32, %t356: f32, %t357: f32, %t358: f32, %t359: f32, %t360: f32, %t361: f32, %t362: f32):
  %t363 = llvm.icmp "slt" %t328, %t317 : i32
  llvm.cond_br %t363, ^b23, ^b24
^b23:
  %t364 = llvm.mlir.constant(3 : i32) : i32
  %t365 = llvm.shl %t329, %t364 : i32
  %t366 = llvm.add %t13, %t365 : i32
  llvm.br ^b25
^b25:
  %t367 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; selp.b32 $0, 1, 0, p; }", "=r,r,r,~{memory}" %t366, %t330 : (i32, i32) -> i32
  %t368 = llvm.mlir.constant(0 : i32) : i32
  %t369 = llvm.icmp "ne" %t367, %t368 : i32
  llvm.cond_br %t369, ^b26, ^b25
^b26:
  %t370 = llvm.mlir.constant(16384 : i32) : i32
  %t371 = llvm.mul %t329, %t370 : i32
  %t372 = llvm.add %t9, %t371 : i32
  %t373 = llvm.add %t372, %t324 : i32
  %t374 = llvm.mlir.constant(8192 : i32) : i32
  %t375 = llvm.add %t372, %t374 : i32
  %t376 = llvm.mlir.constant(4 : i32) : i32
  %t377 = llvm.lshr %t373, %t376 : i32
  %t378 = llvm.zext %t377 : i32 to i64
  %t379 = llvm.or %t325, %t378 : i64
  %t380 = llvm.mlir.constant(4 : i32) : i32
  %t381 = llvm.lshr %t375, %t380 : i32
  %t382 = llvm.zext %t381 : i32 to i64
  %t383 = llvm.or %t326, %t382 : i64
  %t384 = llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; .reg .b64 a, b; setp.eq.b32 p, 0, 0; mov.b64 a, $32; mov.b64 b, $33; wgmma.fence.sync.aligned; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 0, 0; add.s64 a, a, 2; add.s64 b, b, 2; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 0, 0; add.s64 a, a, 2; add.s64 b, b, 2; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 0, 0; add.s64 a, a, 2; add.s64 b, b, 2; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31}, a, b, p, 1, 1, 0, 0; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 1; }", "=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,=f,l,l,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,~{memory}" %t379, %t383, %t331, %t332, %t333, %t334, %t335, %t336, %t337, %t338, %t339, %t340, %t341, %t342, %t343, %t344, %t345, %t346, %t347, %t348, %t349, %t350, %t351, %t352, %t353, %t354, %t355, %t356, %t357, %t358, %t359, %t360, %t361, %t362 : (i64, i64, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) -> !sums
  %t385 = llvm.extractvalue %t384[0] : !sums
  %t386 = llvm.extractvalue %t384[1] : !sums
  %t387 = llvm.extractvalue %t384[2] : !sums
  %t388 = llvm.extractvalue %t384[3] : !sums
  %t389 = llvm.extractvalue %t384[4] : !sums
  %t390 = llvm.extractvalue %t384[5] : !sums
  %t391 = llvm.extractvalue %t384[6] : !sums
  %t392 = llvm.extractvalue %t384[7] : !sums
  %t393 = llvm.extractvalue %t384[8] : !sums
  %t394 = llvm.extractvalue %t384[9] : !sums
  %t395 = llvm.extractvalue %t384[10] : !sums
  %t396 = llvm.extractvalue %t384[11] : !sums
  %t397 = llvm.extractvalue %t384[12] : !sums
  %t398 = llvm.extractvalue %t384[13] : !sums
  %t399 = llvm.extractvalue %t384[14] : !sums
  %t400 = llvm.extractvalue %t384[15] : !sums
  %t401 = llvm.extractvalue %t384[16] : !sums
  %t402 = llvm.extractvalue %t384[17] : !sums
  %t403 = llvm.extractvalue %t384[18] : !sums
  %t404 = llvm.extractvalue %t384[19] : !sums
  %t405 = llvm.extractvalue %t384[20] : !sums
  %t406 = llvm.extractvalue %t384[21] : !sums
  %t407 = llvm.extractvalue %t384[22] : !sums
  %t408 = llvm.extractvalue %t384[23] : !sums
  %t409 = llvm.extractvalue %t384[24] : !sums
  %t410 = llvm.extractvalue %t384[25] : !sums
  %t411 = llvm.extractvalue %t384[26] : !sums
  %t412 = llvm.extractvalue %t384[27] : !sums
  %t413 = llvm.extractvalue %t384[28] : !sums
  %t414 = llvm.extractvalue %t384[29] : !sums
  %t415 = llvm.extractvalue %t384[30] : !sums
  %t416 = llvm.extractvalue %t384[31] : !sums
  %t417 = llvm.mlir.constant(0 : i32) : i32
  %t418 = llvm.icmp "eq" %t329, %t417 : i32
  %t419 = llvm.mlir.constant(1 : i32) : i32
  %t420 = llvm.sub %t329, %t419 : i32
  %t421 = llvm.select %t418, %t327, %t420 : i1, i32
  %t422 = llvm.mlir.constant(0 : i32) : i32
  %t423 = llvm.icmp "sgt" %t328, %t422 : i32
  %t424 = llvm.and %t423, %t322 : i1
  %t425 = llvm.mlir.constant(3 : i32) : i32
  %t426 = llvm.shl %t421, %t425 : i32
  %t427 = llvm.add %t13, %t426 : i32
  %t428 = llvm.mlir.constant(48 : i32) : i32
  %t429 = llvm.add %t427, %t428 : i32
  %t430 = llvm.zext %t424 : i1 to i32
  llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; setp.ne.b32 p, $1, 0; @p mbarrier.arrive.shared::cta.b64 _, [$0]; }", "r,r,~{memory}" %t429, %t430 : (i32, i32) -> ()
  %t431 = llvm.mlir.constant(1 : i32) : i32
  %t432 = llvm.add %t328, %t431 : i32
  %t433 = llvm.mlir.constant(1 : i32) : i32
  %t434 = llvm.add %t329, %t433 : i32
  %t435 = llvm.mlir.constant(6 : i32) : i32
  %t436 = llvm.icmp "eq" %t434, %t435 : i32
  %t437 = llvm.mlir.constant(0 : i32) : i32
  %t438 = llvm.mlir.constant(1 : i32) : i32
  %t439 = llvm.select %t436, %t438, %t437 : i1, i32
  %t440 = llvm.select %t436, %t437, %t434 : i1, i32
  %t441 = llvm.xor %t330, %t439 : i32
  llvm.br ^b22(%t432, %t440, %t441, %t385, %t386, %t387, %t388, %t389, %t390, %t391, %t392, %t393, %t394, %t395, %t396, %t397, %t398, %t399, %t400, %t401, %t402, %t403, %t404, %t405, %t406, %t407, %t408, %t409, %t410, %t411, %t412, %t413, %t414, %t415, %t416 : i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32)
^b24:
  llvm.inline_asm has_side_effects asm_dialect = att "wgmma.wait_group.sync.aligned 0;", "~{memory}"  : () -> ()
  %t442 = llvm.icmp "sgt" %t328, %t318 : i32
  %t443 = llvm.and %t442, %t322 : i1
  %t444 = llvm.mlir.constant(0 : i32) : i32
  %t445 = llvm.icmp "eq" %t329, %t444 : i32
  %t446 = llvm.mlir.constant(1 : i32) : i32
  %t447 = llvm.sub %t329, %t446 : i32
  %t448 = llvm.select %t445, %t327, %t447 : i1, i32
  %t449 = llvm.mlir.constant(3 : i32) : i32
  %t450 = llvm.shl %t448, %t449 : i32
  %t451 = llvm.add %t13, %t450 : i32
  %t452 = llvm.mlir.constant(48 : i32) : i32
  %t453 = llvm.add %t451, %t452 : i32
  %t454 = llvm.zext %t443 : i1 to i32
  llvm.inline_asm has_side_effects asm_dialect = att "{ .reg .pred p; setp.ne.b32 p, $1, 0; @p mbarrier.arrive.shared::cta.b64 _, [$0]; }", "r,r,~{memory}" %t453, %t454 : (i32, i32) -> ()
  %t455 = llvm.mlir.constant(5 : i32) : i32
  %t456 = llvm.lshr %t0, %t455 : i32
  %t457 = llvm.mlir.constant(31 : i32) : i32
  %t458 = llvm.and %t0, %t457 : i32
  %t459 = llvm.mlir.constant(2560 : i32) : i32
  %t460 = llvm.mul %t456, %t459 : i32
  %t461 = llvm.add %t11, %t460 : i32
  %t462 = llvm.mlir.constant(2 : i32) : i32
  %t463 = llvm.lshr %t458, %t462 : i32
  %t464 = llvm.mlir.constant(3 : i32) : i32
  %t465 = llvm.and %t458, %t464 : i32
  %t466 = llvm.mlir.constant(160 : i32) : i32
  %t467 = llvm.mul %t463, %t466 : i32
  %t468 = llvm.mlir.constant(3 : i32) : i32
  %t469 = llvm.shl %t465, %t468 : i32
  %t470 = llvm.add %t467, %t469 : i32
  %t471 = llvm.add %t461, %t470 : i32
  %t472 = llvm.mlir.constant(3 : i32) : i32
  %t473 = llvm.lshr %t458, %t472 : i32
  %t474 = llvm.mlir.constant(7 : i32) : i32
  %t475 = llvm.and %t458, %t474 : i32
  %t476 = llvm.mlir.constant(2 : i32) : i32
  %t477 = llvm.shl %t475, %t476 : i32
  %t478 = llvm.mlir.constant(160 : i32) : i32
  %t479 = llvm.mul %t473, %t478 : i32
  %t480 = llvm.mlir.constant(2 : i32) : i32
  %t481 = llvm.shl %t477, %t480 : i32
  %t482 = llvm.add %t479, %t481 : i32
  %t483 = llvm.add %t461, %t482 : i32
  %t484 = llvm.zext %t473 : i32 to i64
  %t485 = llvm.mlir.constant(16 : i32) : i32
  %t486 = llvm.mul %t456, %t485 : i32
  %t487 = llvm.zext %t486 : i32 to i64
  %t488 = llvm.add %t484, %t487 : i64
  %t489 = llvm.add %t309, %t488 : i64
  %t490 = llvm.zext %t477 : i32 to i64
  %t491 = llvm.add %t312, %t490 : i64
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+0], {$1, $2};", "r,f,f,~{memory}" %t471, %t331, %t332 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1280], {$1, $2};", "r,f,f,~{memory}" %t471, %t333, %t334 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+32], {$1, $2};", "r,f,f,~{memory}" %t471, %t335, %t336 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1312], {$1, $2};", "r,f,f,~{memory}" %t471, %t337, %t338 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+64], {$1, $2};", "r,f,f,~{memory}" %t471, %t339, %t340 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1344], {$1, $2};", "r,f,f,~{memory}" %t471, %t341, %t342 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+96], {$1, $2};", "r,f,f,~{memory}" %t471, %t343, %t344 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1376], {$1, $2};", "r,f,f,~{memory}" %t471, %t345, %t346 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  %t492 = llvm.mlir.constant(0 : i64) : i64
  %t493 = llvm.add %t491, %t492 : i64
  %t494 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b27(%t494, %t483, %t489 : i32, i32, i64)
^b27(%t495: i32, %t496: i32, %t497: i64):
  %t498 = llvm.mlir.constant(16 : i32) : i32
  %t499 = llvm.icmp "slt" %t495, %t498 : i32
  llvm.cond_br %t499, ^b28, ^b29
^b28:
  %t500 = llvm.icmp "slt" %t497, %size0 : i64
  llvm.cond_br %t500, ^b30, ^b31
^b30:
  %t501 = llvm.mlir.constant(0 : i32) : i32
  %t502 = llvm.add %t496, %t501 : i32
  %t503 = llvm.inttoptr %t502 : i32 to !llvm.ptr<3>
  %t504 = llvm.load %t503 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
  %t505 = llvm.mlir.constant(0 : i32) : i32
  %t506 = llvm.extractelement %t504[%t505 : i32] : vector<4xf32>
  %t507 = llvm.mlir.constant(1 : i32) : i32
  %t508 = llvm.extractelement %t504[%t507 : i32] : vector<4xf32>
  %t509 = llvm.mlir.constant(2 : i32) : i32
  %t510 = llvm.extractelement %t504[%t509 : i32] : vector<4xf32>
  %t511 = llvm.mlir.constant(3 : i32) : i32
  %t512 = llvm.extractelement %t504[%t511 : i32] : vector<4xf32>
  %t513 = llvm.mlir.constant(0 : i64) : i64
  %t514 = llvm.add %t493, %t513 : i64
  %t515 = llvm.icmp "slt" %t514, %size1 : i64
  llvm.cond_br %t515, ^b32, ^b33
^b32:
  %t516 = llvm.mlir.constant(128 : i64) : i64
  %t517 = llvm.mlir.constant(128 : i64) : i64
  %t518 = llvm.mlir.constant(512 : i64) : i64
  %t519 = llvm.mul %t497, %t518 : i64
  %t520 = llvm.getelementptr %arg3[%t519] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t521 = llvm.mlir.constant(4 : i64) : i64
  %t522 = llvm.mul %t514, %t521 : i64
  %t523 = llvm.getelementptr %t520[%t522] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t524 = llvm.load %t523 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t525 = llvm.mlir.constant(0 : i32) : i32
  %t526 = llvm.extractelement %t524[%t525 : i32] : vector<4xf32>
  %t527 = llvm.mlir.constant(1 : i32) : i32
  %t528 = llvm.extractelement %t524[%t527 : i32] : vector<4xf32>
  %t529 = llvm.mlir.constant(2 : i32) : i32
  %t530 = llvm.extractelement %t524[%t529 : i32] : vector<4xf32>
  %t531 = llvm.mlir.constant(3 : i32) : i32
  %t532 = llvm.extractelement %t524[%t531 : i32] : vector<4xf32>
  %t533 = llvm.mlir.constant(4 : i64) : i64
  %t534 = llvm.mul %t514, %t533 : i64
  %t535 = llvm.getelementptr %arg2[%t534] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t536 = llvm.load %t535 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t537 = llvm.mlir.constant(0 : i32) : i32
  %t538 = llvm.extractelement %t536[%t537 : i32] : vector<4xf32>
  %t539 = llvm.mlir.constant(1 : i32) : i32
  %t540 = llvm.extractelement %t536[%t539 : i32] : vector<4xf32>
  %t541 = llvm.mlir.constant(2 : i32) : i32
  %t542 = llvm.extractelement %t536[%t541 : i32] : vector<4xf32>
  %t543 = llvm.mlir.constant(3 : i32) : i32
  %t544 = llvm.extractelement %t536[%t543 : i32] : vector<4xf32>
  %t545 = llvm.fadd %t506, %t538 : f32
  %t546 = llvm.fadd %t508, %t540 : f32
  %t547 = llvm.fadd %t510, %t542 : f32
  %t548 = llvm.fadd %t512, %t544 : f32
  %t549 = llvm.fadd %t526, %t545 : f32
  %t550 = llvm.fadd %t528, %t546 : f32
  %t551 = llvm.fadd %t530, %t547 : f32
  %t552 = llvm.fadd %t532, %t548 : f32
  %t553 = llvm.mlir.constant(512 : i64) : i64
  %t554 = llvm.mul %t497, %t553 : i64
  %t555 = llvm.getelementptr %arg4[%t554] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t556 = llvm.mlir.constant(4 : i64) : i64
  %t557 = llvm.mul %t514, %t556 : i64
  %t558 = llvm.getelementptr %t555[%t557] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t559 = llvm.mlir.poison : vector<4xf32>
  %t560 = llvm.mlir.constant(0 : i32) : i32
  %t561 = llvm.insertelement %t549, %t559[%t560 : i32] : vector<4xf32>
  %t562 = llvm.mlir.constant(1 : i32) : i32
  %t563 = llvm.insertelement %t550, %t561[%t562 : i32] : vector<4xf32>
  %t564 = llvm.mlir.constant(2 : i32) : i32
  %t565 = llvm.insertelement %t551, %t563[%t564 : i32] : vector<4xf32>
  %t566 = llvm.mlir.constant(3 : i32) : i32
  %t567 = llvm.insertelement %t552, %t565[%t566 : i32] : vector<4xf32>
  llvm.store %t567, %t558 {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
  llvm.br ^b33
^b33:
  llvm.br ^b31
^b31:
  %t568 = llvm.mlir.constant(4 : i32) : i32
  %t569 = llvm.add %t495, %t568 : i32
  %t570 = llvm.mlir.constant(640 : i32) : i32
  %t571 = llvm.add %t496, %t570 : i32
  %t572 = llvm.mlir.constant(4 : i64) : i64
  %t573 = llvm.add %t497, %t572 : i64
  llvm.br ^b27(%t569, %t571, %t573 : i32, i32, i64)
^b29:
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+0], {$1, $2};", "r,f,f,~{memory}" %t471, %t347, %t348 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1280], {$1, $2};", "r,f,f,~{memory}" %t471, %t349, %t350 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+32], {$1, $2};", "r,f,f,~{memory}" %t471, %t351, %t352 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1312], {$1, $2};", "r,f,f,~{memory}" %t471, %t353, %t354 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+64], {$1, $2};", "r,f,f,~{memory}" %t471, %t355, %t356 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1344], {$1, $2};", "r,f,f,~{memory}" %t471, %t357, %t358 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+96], {$1, $2};", "r,f,f,~{memory}" %t471, %t359, %t360 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.f32 [$0+1376], {$1, $2};", "r,f,f,~{memory}" %t471, %t361, %t362 : (i32, f32, f32) -> ()
  llvm.inline_asm has_side_effects asm_dialect = att "bar.warp.sync 0xffffffff;", "~{memory}"  : () -> ()
  %t574 = llvm.mlir.constant(32 : i64) : i64
  %t575 = llvm.add %t491, %t574 : i64
  %t576 = llvm.mlir.constant(0 : i32) : i32
  llvm.br ^b34(%t576, %t483, %t489 : i32, i32, i64)
^b34(%t577: i32, %t578: i32, %t579: i64):
  %t580 = llvm.mlir.constant(16 : i32) : i32
  %t581 = llvm.icmp "slt" %t577, %t580 : i32
  llvm.cond_br %t581, ^b35, ^b36
^b35:
  %t582 = llvm.icmp "slt" %t579, %size0 : i64
  llvm.cond_br %t582, ^b37, ^b38
^b37:
  %t583 = llvm.mlir.constant(0 : i32) : i32
  %t584 = llvm.add %t578, %t583 : i32
  %t585 = llvm.inttoptr %t584 : i32 to !llvm.ptr<3>
  %t586 = llvm.load %t585 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
  %t587 = llvm.mlir.constant(0 : i32) : i32
  %t588 = llvm.extractelement %t586[%t587 : i32] : vector<4xf32>
  %t589 = llvm.mlir.constant(1 : i32) : i32
  %t590 = llvm.extractelement %t586[%t589 : i32] : vector<4xf32>
  %t591 = llvm.mlir.constant(2 : i32) : i32
  %t592 = llvm.extractelement %t586[%t591 : i32] : vector<4xf32>
  %t593 = llvm.mlir.constant(3 : i32) : i32
  %t594 = llvm.extractelement %t586[%t593 : i32] : vector<4xf32>
  %t595 = llvm.mlir.constant(0 : i64) : i64
  %t596 = llvm.add %t575, %t595 : i64
  %t597 = llvm.icmp "slt" %t596, %size1 : i64
  llvm.cond_br %t597, ^b39, ^b40
^b39:
  %t598 = llvm.mlir.constant(128 : i64) : i64
  %t599 = llvm.mlir.constant(128 : i64) : i64
  %t600 = llvm.mlir.constant(512 : i64) : i64
  %t601 = llvm.mul %t579, %t600 : i64
  %t602 = llvm.getelementptr %arg3[%t601] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t603 = llvm.mlir.constant(4 : i64) : i64
  %t604 = llvm.mul %t596, %t603 : i64
  %t605 = llvm.getelementptr %t602[%t604] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t606 = llvm.load %t605 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t607 = llvm.mlir.constant(0 : i32) : i32
  %t608 = llvm.extractelement %t606[%t607 : i32] : vector<4xf32>
  %t609 = llvm.mlir.constant(1 : i32) : i32
  %t610 = llvm.extractelement %t606[%t609 : i32] : vector<4xf32>
  %t611 = llvm.mlir.constant(2 : i32) : i32
  %t612 = llvm.extractelement %t606[%t611 : i32] : vector<4xf32>
  %t613 = llvm.mlir.constant(3 : i32) : i32
  %t614 = llvm.extractelement %t606[%t613 : i32] : vector<4xf32>
  %t615 = llvm.mlir.constant(4 : i64) : i64
  %t616 = llvm.mul %t596, %t615 : i64
  %t617 = llvm.getelementptr %arg2[%t616] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t618 = llvm.load %t617 {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t619 = llvm.mlir.constant(0 : i32) : i32
  %t620 = llvm.extractelement %t618[%t619 : i32] : vector<4xf32>
  %t621 = llvm.mlir.constant(1 : i32) : i32
  %t622 = llvm.extractelement %t618[%t621 : i32] : vector<4xf32>
  %t623 = llvm.mlir.constant(2 : i32) : i32
  %t624 = llvm.extractelement %t618[%t623 : i32] : vector<4xf32>
  %t625 = llvm.mlir.constant(3 : i32) : i32
  %t626 = llvm.extractelement %t618[%t625 : i32] : vector<4xf32>
  %t627 = llvm.fadd %t588, %t620 : f32
  %t628 = llvm.fadd %t590, %t622 : f32
  %t629 = llvm.fadd %t592, %t624 : f32
  %t630 = llvm.fadd %t594, %t626 : f32
  %t631 = llvm.fadd %t608, %t627 : f32
  %t632 = llvm.fadd %t610, %t628 : f32
  %t633 = llvm.fadd %t612, %t629 : f32
  %t634 = llvm.fadd %t614, %t630 : f32
  %t635 = llvm.mlir.constant(512 : i64) : i64
  %t636 = llvm.mul %t579, %t635 : i64
  %t637 = llvm.getelementptr %arg4[%t636] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t638 = llvm.mlir.constant(4 : i64) : i64
  %t639 = llvm.mul %t596, %t638 : i64
  %t640 = llvm.getelementptr %t637[%t639] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
  %t641 = llvm.mlir.poison : vector<4xf32>
  %t642 = llvm.mlir.constant(0 : i32) : i32
  %t643 = llvm.insertelement %t631, %t641[%t642 : i32] : vector<4xf32>
  %t644 = llvm.mlir.constant(1 : i32) : i32
  %t645 = llvm.insertelement %t632, %t643[%t644 : i32] : vector<4xf32>
  %t646 = llvm.mlir.constant(2 : i32) : i32
  %t647 = llvm.insertelement %t633, %t645[%t646 : i32] : vector<4xf32>
  %t648 = llvm.mlir.constant(3 : i32) : i32
  %t649 = llvm.insertelement %t634, %t647[%t648 : i32] : vector<4xf32>
  llvm.store %t649, %t640 {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
  llvm.br ^b40
^b40:
  llvm.br ^b38
^b38:
  %t650 = llvm.mlir.constant(4 : i32) : i32
  %t651 = llvm.add %t577, %t650 : i32
  %t652 = llvm.mlir.constant(640 : i32) : i32
  %t653 = llvm.add %t578, %t652 : i32
  %t654 = llvm.mlir.constant(4 : i64) : i64
  %t655 = llvm.add %t579, %t654 : i64
  llvm.br ^b34(%t651, %t653, %t655 : i32, i32, i64)
^b36:
  %t656 = llvm.add %t290, %t277 : i32
  llvm.br ^b19(%t656, %t329, %t330 : i32, i32, i32)
^b21:
  llvm.br ^b5
^b5:
  llvm.return
}
}
