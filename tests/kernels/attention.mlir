// attention: teams attention lanes=32 block=64
llvm.mlir.global external @scratch() {addr_space = 3 : i32, alignment = 64 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr, %ext0: i64, %tiles: i64) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
%everyone = arith.constant -1 : i32
%clamp = arith.constant 31 : i32
%thread32 = nvvm.read.ptx.sreg.tid.x : i32
%block32 = nvvm.read.ptx.sreg.ctaid.x : i32
%thread = arith.extui %thread32 : i32 to i64
%block = arith.extui %block32 : i32 to i64
%teamsize = arith.constant 32 : i64
%teams = arith.constant 4 : i64
%team = arith.divui %thread, %teamsize : i64
%member = arith.remui %thread, %teamsize : i64
%first = arith.muli %block, %teams : i64
%tile_begin = arith.addi %first, %team : i64
%one = arith.constant 1 : i64
%tile_end = arith.addi %tile_begin, %one : i64
%exists = arith.cmpi ult, %tile_begin, %tiles : i64
%shared = llvm.mlir.addressof @scratch : !llvm.ptr<3>
%bytes = arith.constant 24832 : i64
%skipped = arith.muli %team, %bytes : i64
%own = llvm.getelementptr %shared[%skipped] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
%scratch = llvm.addrspacecast %own : !llvm.ptr<3> to !llvm.ptr
scf.if %exists {
%t0 = arith.constant 4 : i64
%t1 = arith.muli %member, %t0 : i64
%t2 = llvm.getelementptr %scratch[%t1] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t3 = arith.constant 0 : i64
%t4 = arith.addi %ext0, %t3 : i64
%t5 = arith.constant 1 : i64
%t6 = arith.divui %t4, %t5 : i64
%t7 = arith.constant 4 : i64
%t8 = arith.constant 0 : i64
%t9 = arith.addi %t7, %t8 : i64
%t10 = arith.constant 1 : i64
%t11 = arith.divui %t9, %t10 : i64
%t12 = arith.constant 1 : i64
%t13 = arith.constant 0 : i64
%t14 = arith.addi %t12, %t13 : i64
%t15 = arith.constant 1 : i64
%t16 = arith.divui %t14, %t15 : i64
%t17 = arith.constant 65 : i64
%t18 = arith.constant 31 : i64
%t19 = arith.addi %t17, %t18 : i64
%t20 = arith.constant 32 : i64
%t21 = arith.divui %t19, %t20 : i64
%t22 = arith.constant 1 : i64
scf.for %v30 = %tile_begin to %tile_end step %t22 : i64 {
%t23 = arith.remui %v30, %t21 : i64
%t24 = arith.divui %v30, %t21 : i64
%t25 = arith.constant 32 : i64
%t26 = arith.muli %t23, %t25 : i64
%t27 = arith.remui %t24, %t16 : i64
%t28 = arith.divui %t24, %t16 : i64
%t29 = arith.constant 1 : i64
%t30 = arith.muli %t27, %t29 : i64
%t31 = arith.remui %t28, %t11 : i64
%t32 = arith.divui %t28, %t11 : i64
%t33 = arith.constant 1 : i64
%t34 = arith.muli %t31, %t33 : i64
%t35 = arith.remui %t32, %t6 : i64
%t36 = arith.divui %t32, %t6 : i64
%t37 = arith.constant 1 : i64
%t38 = arith.muli %t35, %t37 : i64
nvvm.bar.warp.sync %everyone : i32
%t39 = arith.constant 65 : i64
%t40 = arith.constant -1 : i64
%t41 = arith.addi %t39, %t40 : i64
nvvm.bar.warp.sync %everyone : i32
%t42 = arith.constant 32 : i64
%t43 = arith.constant 32 : i64
scf.for %v51 = %member to %t42 step %t43 : i64 {
%t44 = arith.addi %t26, %v51 : i64
%t45 = arith.minsi %t44, %t41 : i64
%t46 = arith.constant 0 : i64
%t47 = arith.constant 0 : i64
%t48 = arith.constant 24960 : i64
%t49 = arith.muli %t38, %t48 : i64
%t50 = arith.addi %t47, %t49 : i64
%t51 = arith.constant 384 : i64
%t52 = arith.muli %t45, %t51 : i64
%t53 = arith.addi %t50, %t52 : i64
%t54 = arith.constant 32 : i64
%t55 = arith.muli %t34, %t54 : i64
%t56 = arith.addi %t53, %t55 : i64
%t57 = arith.constant 1 : i64
%t58 = arith.muli %t46, %t57 : i64
%t59 = arith.addi %t56, %t58 : i64
%t60 = arith.constant 2 : i64
%t61 = arith.muli %t59, %t60 : i64
%t62 = llvm.getelementptr %arg0[%t61] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t63 = arith.constant 0 : i64
%t64 = llvm.getelementptr %scratch[%t63] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t65 = arith.constant 4 : i64
%t66 = arith.muli %v51, %t65 : i64
%t67 = llvm.getelementptr %t64[%t66] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t68 = arith.constant 32 : i64
%t69 = arith.constant 1 : i64
scf.for %v77 = %t46 to %t68 step %t69 : i64 {
%t70 = arith.constant 2 : i64
%t71 = arith.muli %v77, %t70 : i64
%t72 = llvm.getelementptr %t62[%t71] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t73 = llvm.load %t72 {alignment = 2 : i64} : !llvm.ptr -> i16
%t74 = arith.extui %t73 : i16 to i32
%t75 = arith.constant 16 : i32
%t76 = arith.shli %t74, %t75 : i32
%t77 = arith.bitcast %t76 : i32 to f32
%t78 = arith.constant 128 : i64
%t79 = arith.muli %v77, %t78 : i64
%t80 = llvm.getelementptr %t67[%t79] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t77, %t80 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
%t81 = arith.constant 20480 : i64
%t82 = llvm.getelementptr %t2[%t81] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t83 = arith.constant 0x00000000 : f32
%t84 = arith.constant 0 : i64
%t85 = arith.constant 1024 : i64
%t86 = arith.constant 32 : i64
scf.for %v90 = %t84 to %t85 step %t86 : i64 {
%t87 = arith.constant 4 : i64
%t88 = arith.muli %v90, %t87 : i64
%t89 = llvm.getelementptr %t82[%t88] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t83, %t89 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t90 = arith.constant 24576 : i64
%t91 = llvm.getelementptr %t2[%t90] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t92 = arith.constant 0xFF800000 : f32
%t93 = arith.constant 0 : i64
%t94 = arith.constant 32 : i64
%t95 = arith.constant 32 : i64
scf.for %v99 = %t93 to %t94 step %t95 : i64 {
%t96 = arith.constant 4 : i64
%t97 = arith.muli %v99, %t96 : i64
%t98 = llvm.getelementptr %t91[%t97] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t92, %t98 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t99 = arith.constant 24704 : i64
%t100 = llvm.getelementptr %t2[%t99] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t101 = arith.constant 0x00000000 : f32
%t102 = arith.constant 0 : i64
%t103 = arith.constant 32 : i64
%t104 = arith.constant 32 : i64
scf.for %v108 = %t102 to %t103 step %t104 : i64 {
%t105 = arith.constant 4 : i64
%t106 = arith.muli %v108, %t105 : i64
%t107 = llvm.getelementptr %t100[%t106] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t101, %t107 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t108 = arith.constant 0 : i64
%t109 = arith.constant 65 : i64
%t110 = arith.constant 64 : i64
scf.for %v114 = %t108 to %t109 step %t110 : i64 {
%t111 = arith.constant 64 : i64
%t112 = arith.addi %v114, %t111 : i64
%t113 = arith.minsi %t112, %t109 : i64
%t114 = arith.constant -1 : i64
%t115 = arith.muli %v114, %t114 : i64
%t116 = arith.addi %t113, %t115 : i64
%t117 = arith.constant 0 : i64
%t118 = arith.constant 128 : i64
%t119 = arith.constant 24960 : i64
%t120 = arith.muli %t38, %t119 : i64
%t121 = arith.addi %t118, %t120 : i64
%t122 = arith.constant 384 : i64
%t123 = arith.muli %v114, %t122 : i64
%t124 = arith.addi %t121, %t123 : i64
%t125 = arith.constant 32 : i64
%t126 = arith.muli %t34, %t125 : i64
%t127 = arith.addi %t124, %t126 : i64
%t128 = arith.constant 1 : i64
%t129 = arith.muli %t117, %t128 : i64
%t130 = arith.addi %t127, %t129 : i64
%t131 = arith.constant 2 : i64
%t132 = arith.muli %t130, %t131 : i64
%t133 = llvm.getelementptr %arg0[%t132] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t134 = arith.constant 32 : i64
%t135 = arith.constant 4096 : i64
%t136 = llvm.getelementptr %t2[%t135] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t137 = arith.constant 0 : i64
%t138 = llvm.getelementptr %t2[%t137] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t139 = arith.constant 0 : i64
%t140 = arith.constant 8 : i64
%t141 = arith.remui %t116, %t140 : i64
%t142 = arith.constant -1 : i64
%t143 = arith.muli %t141, %t142 : i64
%t144 = arith.addi %t116, %t143 : i64
%t145 = arith.constant 8 : i64
scf.for %v149 = %t139 to %t144 step %t145 : i64 {
%t146 = arith.constant 128 : i64
%t147 = arith.muli %v149, %t146 : i64
%t148 = llvm.getelementptr %t136[%t147] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t149 = arith.constant 768 : i64
%t150 = arith.muli %v149, %t149 : i64
%t151 = llvm.getelementptr %t133[%t150] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t152 = arith.constant 0x00000000 : f32
%t153 = arith.constant 0x00000000 : f32
%t154 = arith.constant 0x00000000 : f32
%t155 = arith.constant 0x00000000 : f32
%t156 = arith.constant 0x00000000 : f32
%t157 = arith.constant 0x00000000 : f32
%t158 = arith.constant 0x00000000 : f32
%t159 = arith.constant 0x00000000 : f32
%t160 = arith.constant 1 : i64
%r164:8 = scf.for %v164 = %t139 to %t134 step %t160 iter_args(%v165 = %t152, %v166 = %t153, %v167 = %t154, %v168 = %t155, %v169 = %t156, %v170 = %t157, %v171 = %t158, %v172 = %t159) -> (f32, f32, f32, f32, f32, f32, f32, f32) : i64 {
%t161 = arith.constant 128 : i64
%t162 = arith.muli %v164, %t161 : i64
%t163 = llvm.getelementptr %t138[%t162] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t164 = llvm.load %t163 {alignment = 4 : i64} : !llvm.ptr -> f32
%t165 = arith.constant 2 : i64
%t166 = arith.muli %v164, %t165 : i64
%t167 = llvm.getelementptr %t151[%t166] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t168 = llvm.load %t167 {alignment = 2 : i64} : !llvm.ptr -> i16
%t169 = arith.extui %t168 : i16 to i32
%t170 = arith.constant 16 : i32
%t171 = arith.shli %t169, %t170 : i32
%t172 = arith.bitcast %t171 : i32 to f32
%t173 = math.fma %t172, %t164, %v165 : f32
%t174 = llvm.getelementptr %t167[768] : (!llvm.ptr) -> !llvm.ptr, i8
%t175 = llvm.load %t174 {alignment = 2 : i64} : !llvm.ptr -> i16
%t176 = arith.extui %t175 : i16 to i32
%t177 = arith.constant 16 : i32
%t178 = arith.shli %t176, %t177 : i32
%t179 = arith.bitcast %t178 : i32 to f32
%t180 = math.fma %t179, %t164, %v166 : f32
%t181 = llvm.getelementptr %t167[1536] : (!llvm.ptr) -> !llvm.ptr, i8
%t182 = llvm.load %t181 {alignment = 2 : i64} : !llvm.ptr -> i16
%t183 = arith.extui %t182 : i16 to i32
%t184 = arith.constant 16 : i32
%t185 = arith.shli %t183, %t184 : i32
%t186 = arith.bitcast %t185 : i32 to f32
%t187 = math.fma %t186, %t164, %v167 : f32
%t188 = llvm.getelementptr %t167[2304] : (!llvm.ptr) -> !llvm.ptr, i8
%t189 = llvm.load %t188 {alignment = 2 : i64} : !llvm.ptr -> i16
%t190 = arith.extui %t189 : i16 to i32
%t191 = arith.constant 16 : i32
%t192 = arith.shli %t190, %t191 : i32
%t193 = arith.bitcast %t192 : i32 to f32
%t194 = math.fma %t193, %t164, %v168 : f32
%t195 = llvm.getelementptr %t167[3072] : (!llvm.ptr) -> !llvm.ptr, i8
%t196 = llvm.load %t195 {alignment = 2 : i64} : !llvm.ptr -> i16
%t197 = arith.extui %t196 : i16 to i32
%t198 = arith.constant 16 : i32
%t199 = arith.shli %t197, %t198 : i32
%t200 = arith.bitcast %t199 : i32 to f32
%t201 = math.fma %t200, %t164, %v169 : f32
%t202 = llvm.getelementptr %t167[3840] : (!llvm.ptr) -> !llvm.ptr, i8
%t203 = llvm.load %t202 {alignment = 2 : i64} : !llvm.ptr -> i16
%t204 = arith.extui %t203 : i16 to i32
%t205 = arith.constant 16 : i32
%t206 = arith.shli %t204, %t205 : i32
%t207 = arith.bitcast %t206 : i32 to f32
%t208 = math.fma %t207, %t164, %v170 : f32
%t209 = llvm.getelementptr %t167[4608] : (!llvm.ptr) -> !llvm.ptr, i8
%t210 = llvm.load %t209 {alignment = 2 : i64} : !llvm.ptr -> i16
%t211 = arith.extui %t210 : i16 to i32
%t212 = arith.constant 16 : i32
%t213 = arith.shli %t211, %t212 : i32
%t214 = arith.bitcast %t213 : i32 to f32
%t215 = math.fma %t214, %t164, %v171 : f32
%t216 = llvm.getelementptr %t167[5376] : (!llvm.ptr) -> !llvm.ptr, i8
%t217 = llvm.load %t216 {alignment = 2 : i64} : !llvm.ptr -> i16
%t218 = arith.extui %t217 : i16 to i32
%t219 = arith.constant 16 : i32
%t220 = arith.shli %t218, %t219 : i32
%t221 = arith.bitcast %t220 : i32 to f32
%t222 = math.fma %t221, %t164, %v172 : f32
scf.yield %t173, %t180, %t187, %t194, %t201, %t208, %t215, %t222 : f32, f32, f32, f32, f32, f32, f32, f32
}
llvm.store %r164#0, %t148 {alignment = 4 : i64} : f32, !llvm.ptr
%t223 = llvm.getelementptr %t148[128] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r164#1, %t223 {alignment = 4 : i64} : f32, !llvm.ptr
%t224 = llvm.getelementptr %t148[256] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r164#2, %t224 {alignment = 4 : i64} : f32, !llvm.ptr
%t225 = llvm.getelementptr %t148[384] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r164#3, %t225 {alignment = 4 : i64} : f32, !llvm.ptr
%t226 = llvm.getelementptr %t148[512] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r164#4, %t226 {alignment = 4 : i64} : f32, !llvm.ptr
%t227 = llvm.getelementptr %t148[640] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r164#5, %t227 {alignment = 4 : i64} : f32, !llvm.ptr
%t228 = llvm.getelementptr %t148[768] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r164#6, %t228 {alignment = 4 : i64} : f32, !llvm.ptr
%t229 = llvm.getelementptr %t148[896] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r164#7, %t229 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t230 = arith.constant 1 : i64
scf.for %v212 = %t144 to %t116 step %t230 : i64 {
%t231 = arith.constant 128 : i64
%t232 = arith.muli %v212, %t231 : i64
%t233 = llvm.getelementptr %t136[%t232] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t234 = arith.constant 768 : i64
%t235 = arith.muli %v212, %t234 : i64
%t236 = llvm.getelementptr %t133[%t235] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t237 = arith.constant 0x00000000 : f32
%t238 = arith.constant 1 : i64
%r220:1 = scf.for %v220 = %t139 to %t134 step %t238 iter_args(%v221 = %t237) -> (f32) : i64 {
%t239 = arith.constant 128 : i64
%t240 = arith.muli %v220, %t239 : i64
%t241 = llvm.getelementptr %t138[%t240] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t242 = llvm.load %t241 {alignment = 4 : i64} : !llvm.ptr -> f32
%t243 = arith.constant 2 : i64
%t244 = arith.muli %v220, %t243 : i64
%t245 = llvm.getelementptr %t236[%t244] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t246 = llvm.load %t245 {alignment = 2 : i64} : !llvm.ptr -> i16
%t247 = arith.extui %t246 : i16 to i32
%t248 = arith.constant 16 : i32
%t249 = arith.shli %t247, %t248 : i32
%t250 = arith.bitcast %t249 : i32 to f32
%t251 = math.fma %t250, %t242, %v221 : f32
scf.yield %t251 : f32
}
llvm.store %r220#0, %t233 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t252 = arith.constant 0 : i64
%t253 = arith.constant 1 : i64
scf.for %v234 = %t252 to %t116 step %t253 : i64 {
%t254 = arith.addi %v114, %v234 : i64
%t255 = arith.constant 4096 : i64
%t256 = llvm.getelementptr %t2[%t255] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t257 = arith.constant 128 : i64
%t258 = arith.muli %v234, %t257 : i64
%t259 = llvm.getelementptr %t256[%t258] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t260 = llvm.load %t259 {alignment = 4 : i64} : !llvm.ptr -> f32
%t261 = arith.constant 0x3E3504F3 : f32
%t262 = arith.mulf %t260, %t261 : f32
%t263 = arith.constant 0xFF800000 : f32
%t264 = arith.constant 12288 : i64
%t265 = llvm.getelementptr %t2[%t264] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t266 = arith.constant 128 : i64
%t267 = arith.muli %v234, %t266 : i64
%t268 = llvm.getelementptr %t265[%t267] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t262, %t268 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t269 = arith.constant 12288 : i64
%t270 = llvm.getelementptr %t2[%t269] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t271 = arith.constant 24576 : i64
%t272 = llvm.getelementptr %t2[%t271] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t273 = arith.constant 24704 : i64
%t274 = llvm.getelementptr %t2[%t273] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t275 = arith.constant 20480 : i64
%t276 = llvm.getelementptr %t2[%t275] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t277 = arith.constant 0 : i64
%t278 = llvm.load %t272 {alignment = 4 : i64} : !llvm.ptr -> f32
%t279 = arith.constant 1 : i64
%r260:1 = scf.for %v260 = %t277 to %t116 step %t279 iter_args(%v261 = %t278) -> (f32) : i64 {
%t280 = arith.constant 128 : i64
%t281 = arith.muli %v260, %t280 : i64
%t282 = llvm.getelementptr %t270[%t281] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t283 = llvm.load %t282 {alignment = 4 : i64} : !llvm.ptr -> f32
%t284 = arith.cmpf ogt, %t283, %v261 : f32
%t285 = arith.select %t284, %t283, %v261 : f32
scf.yield %t285 : f32
}
llvm.store %r260#0, %t272 {alignment = 4 : i64} : f32, !llvm.ptr
%t286 = arith.constant 0xFF800000 : f32
%t287 = arith.cmpf oeq, %r260#0, %t286 : f32
%t288 = arith.constant 0x00000000 : f32
%t289 = arith.select %t287, %t288, %r260#0 : f32
%t290 = arith.subf %t278, %t289 : f32
%t291 = arith.constant 0xC2D00000 : f32
%t292 = arith.constant 0x42B20000 : f32
%t293 = arith.cmpf ogt, %t291, %t290 : f32
%t294 = arith.select %t293, %t291, %t290 : f32
%t295 = arith.cmpf olt, %t292, %t294 : f32
%t296 = arith.select %t295, %t292, %t294 : f32
%t297 = arith.constant 0x3FB8AA3B : f32
%t298 = arith.mulf %t296, %t297 : f32
%t299 = math.roundeven %t298 : f32
%t300 = arith.constant 0xBF318000 : f32
%t301 = arith.constant 0x395E8083 : f32
%t302 = math.fma %t299, %t300, %t296 : f32
%t303 = math.fma %t299, %t301, %t302 : f32
%t304 = arith.constant 0x3AB6887E : f32
%t305 = arith.constant 0x3C0905B1 : f32
%t306 = math.fma %t304, %t303, %t305 : f32
%t307 = arith.constant 0x3D2AAA8D : f32
%t308 = math.fma %t306, %t303, %t307 : f32
%t309 = arith.constant 0x3E2AAA6F : f32
%t310 = math.fma %t308, %t303, %t309 : f32
%t311 = arith.constant 0x3F000000 : f32
%t312 = math.fma %t310, %t303, %t311 : f32
%t313 = arith.mulf %t303, %t303 : f32
%t314 = math.fma %t312, %t313, %t303 : f32
%t315 = arith.constant 0x3F800000 : f32
%t316 = arith.addf %t314, %t315 : f32
%t317 = arith.constant 0xC2FC0000 : f32
%t318 = arith.cmpf ogt, %t299, %t317 : f32
%t319 = arith.select %t318, %t299, %t317 : f32
%t320 = arith.constant 0x00000000 : f32
%t321 = arith.constant 0xCF000000 : f32
%t322 = arith.constant 0x4EFFFFFF : f32
%t323 = arith.constant 2147483647 : i32
%t324 = arith.cmpf ord, %t319, %t319 : f32
%t325 = arith.select %t324, %t319, %t320 : f32
%t326 = arith.cmpf ogt, %t325, %t322 : f32
%t327 = arith.cmpf ogt, %t325, %t321 : f32
%t328 = arith.select %t327, %t325, %t321 : f32
%t329 = arith.cmpf olt, %t328, %t322 : f32
%t330 = arith.select %t329, %t328, %t322 : f32
%t331 = arith.fptosi %t330 : f32 to i32
%t332 = arith.select %t326, %t323, %t331 : i32
%t333 = arith.constant 126 : i32
%t334 = arith.constant 23 : i32
%t335 = arith.addi %t332, %t333 : i32
%t336 = arith.shli %t335, %t334 : i32
%t337 = arith.bitcast %t336 : i32 to f32
%t338 = arith.addf %t316, %t316 : f32
%t339 = arith.mulf %t338, %t337 : f32
%t340 = llvm.load %t274 {alignment = 4 : i64} : !llvm.ptr -> f32
%t341 = arith.mulf %t340, %t339 : f32
%t342 = arith.constant 1 : i64
%r309:1 = scf.for %v309 = %t277 to %t116 step %t342 iter_args(%v310 = %t341) -> (f32) : i64 {
%t343 = arith.constant 128 : i64
%t344 = arith.muli %v309, %t343 : i64
%t345 = llvm.getelementptr %t270[%t344] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t346 = llvm.load %t345 {alignment = 4 : i64} : !llvm.ptr -> f32
%t347 = arith.subf %t346, %t289 : f32
%t348 = arith.constant 0xC2D00000 : f32
%t349 = arith.constant 0x42B20000 : f32
%t350 = arith.cmpf ogt, %t348, %t347 : f32
%t351 = arith.select %t350, %t348, %t347 : f32
%t352 = arith.cmpf olt, %t349, %t351 : f32
%t353 = arith.select %t352, %t349, %t351 : f32
%t354 = arith.constant 0x3FB8AA3B : f32
%t355 = arith.mulf %t353, %t354 : f32
%t356 = math.roundeven %t355 : f32
%t357 = arith.constant 0xBF318000 : f32
%t358 = arith.constant 0x395E8083 : f32
%t359 = math.fma %t356, %t357, %t353 : f32
%t360 = math.fma %t356, %t358, %t359 : f32
%t361 = arith.constant 0x3AB6887E : f32
%t362 = arith.constant 0x3C0905B1 : f32
%t363 = math.fma %t361, %t360, %t362 : f32
%t364 = arith.constant 0x3D2AAA8D : f32
%t365 = math.fma %t363, %t360, %t364 : f32
%t366 = arith.constant 0x3E2AAA6F : f32
%t367 = math.fma %t365, %t360, %t366 : f32
%t368 = arith.constant 0x3F000000 : f32
%t369 = math.fma %t367, %t360, %t368 : f32
%t370 = arith.mulf %t360, %t360 : f32
%t371 = math.fma %t369, %t370, %t360 : f32
%t372 = arith.constant 0x3F800000 : f32
%t373 = arith.addf %t371, %t372 : f32
%t374 = arith.constant 0xC2FC0000 : f32
%t375 = arith.cmpf ogt, %t356, %t374 : f32
%t376 = arith.select %t375, %t356, %t374 : f32
%t377 = arith.constant 0x00000000 : f32
%t378 = arith.constant 0xCF000000 : f32
%t379 = arith.constant 0x4EFFFFFF : f32
%t380 = arith.constant 2147483647 : i32
%t381 = arith.cmpf ord, %t376, %t376 : f32
%t382 = arith.select %t381, %t376, %t377 : f32
%t383 = arith.cmpf ogt, %t382, %t379 : f32
%t384 = arith.cmpf ogt, %t382, %t378 : f32
%t385 = arith.select %t384, %t382, %t378 : f32
%t386 = arith.cmpf olt, %t385, %t379 : f32
%t387 = arith.select %t386, %t385, %t379 : f32
%t388 = arith.fptosi %t387 : f32 to i32
%t389 = arith.select %t383, %t380, %t388 : i32
%t390 = arith.constant 126 : i32
%t391 = arith.constant 23 : i32
%t392 = arith.addi %t389, %t390 : i32
%t393 = arith.shli %t392, %t391 : i32
%t394 = arith.bitcast %t393 : i32 to f32
%t395 = arith.addf %t373, %t373 : f32
%t396 = arith.mulf %t395, %t394 : f32
%t397 = arith.addf %v310, %t396 : f32
%t398 = arith.truncf %t396 : f32 to bf16
%t399 = arith.extf %t398 : bf16 to f32
llvm.store %t399, %t345 {alignment = 4 : i64} : f32, !llvm.ptr
scf.yield %t397 : f32
}
llvm.store %r309#0, %t274 {alignment = 4 : i64} : f32, !llvm.ptr
%t400 = arith.constant 32 : i64
%t401 = arith.constant 1 : i64
scf.for %v354 = %t277 to %t400 step %t401 : i64 {
%t402 = arith.constant 128 : i64
%t403 = arith.muli %v354, %t402 : i64
%t404 = llvm.getelementptr %t276[%t403] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t405 = llvm.load %t404 {alignment = 4 : i64} : !llvm.ptr -> f32
%t406 = arith.mulf %t405, %t339 : f32
llvm.store %t406, %t404 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t407 = arith.constant 0 : i64
%t408 = arith.constant 256 : i64
%t409 = arith.constant 24960 : i64
%t410 = arith.muli %t38, %t409 : i64
%t411 = arith.addi %t408, %t410 : i64
%t412 = arith.constant 384 : i64
%t413 = arith.muli %v114, %t412 : i64
%t414 = arith.addi %t411, %t413 : i64
%t415 = arith.constant 32 : i64
%t416 = arith.muli %t34, %t415 : i64
%t417 = arith.addi %t414, %t416 : i64
%t418 = arith.constant 1 : i64
%t419 = arith.muli %t407, %t418 : i64
%t420 = arith.addi %t417, %t419 : i64
%t421 = arith.constant 2 : i64
%t422 = arith.muli %t420, %t421 : i64
%t423 = llvm.getelementptr %arg0[%t422] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t424 = arith.constant 32 : i64
%t425 = arith.constant 20480 : i64
%t426 = llvm.getelementptr %t2[%t425] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t427 = arith.constant 12288 : i64
%t428 = llvm.getelementptr %t2[%t427] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t429 = arith.constant 0 : i64
%t430 = arith.constant 8 : i64
%t431 = arith.remui %t424, %t430 : i64
%t432 = arith.constant -1 : i64
%t433 = arith.muli %t431, %t432 : i64
%t434 = arith.addi %t424, %t433 : i64
%t435 = arith.constant 8 : i64
scf.for %v388 = %t429 to %t434 step %t435 : i64 {
%t436 = arith.constant 128 : i64
%t437 = arith.muli %v388, %t436 : i64
%t438 = llvm.getelementptr %t426[%t437] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t439 = arith.constant 2 : i64
%t440 = arith.muli %v388, %t439 : i64
%t441 = llvm.getelementptr %t423[%t440] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t442 = llvm.load %t438 {alignment = 4 : i64} : !llvm.ptr -> f32
%t443 = llvm.getelementptr %t438[128] : (!llvm.ptr) -> !llvm.ptr, i8
%t444 = llvm.load %t443 {alignment = 4 : i64} : !llvm.ptr -> f32
%t445 = llvm.getelementptr %t438[256] : (!llvm.ptr) -> !llvm.ptr, i8
%t446 = llvm.load %t445 {alignment = 4 : i64} : !llvm.ptr -> f32
%t447 = llvm.getelementptr %t438[384] : (!llvm.ptr) -> !llvm.ptr, i8
%t448 = llvm.load %t447 {alignment = 4 : i64} : !llvm.ptr -> f32
%t449 = llvm.getelementptr %t438[512] : (!llvm.ptr) -> !llvm.ptr, i8
%t450 = llvm.load %t449 {alignment = 4 : i64} : !llvm.ptr -> f32
%t451 = llvm.getelementptr %t438[640] : (!llvm.ptr) -> !llvm.ptr, i8
%t452 = llvm.load %t451 {alignment = 4 : i64} : !llvm.ptr -> f32
%t453 = llvm.getelementptr %t438[768] : (!llvm.ptr) -> !llvm.ptr, i8
%t454 = llvm.load %t453 {alignment = 4 : i64} : !llvm.ptr -> f32
%t455 = llvm.getelementptr %t438[896] : (!llvm.ptr) -> !llvm.ptr, i8
%t456 = llvm.load %t455 {alignment = 4 : i64} : !llvm.ptr -> f32
%t457 = arith.constant 1 : i64
%r403:8 = scf.for %v403 = %t429 to %t116 step %t457 iter_args(%v404 = %t442, %v405 = %t444, %v406 = %t446, %v407 = %t448, %v408 = %t450, %v409 = %t452, %v410 = %t454, %v411 = %t456) -> (f32, f32, f32, f32, f32, f32, f32, f32) : i64 {
%t458 = arith.constant 128 : i64
%t459 = arith.muli %v403, %t458 : i64
%t460 = llvm.getelementptr %t428[%t459] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t461 = llvm.load %t460 {alignment = 4 : i64} : !llvm.ptr -> f32
%t462 = arith.constant 768 : i64
%t463 = arith.muli %v403, %t462 : i64
%t464 = llvm.getelementptr %t441[%t463] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t465 = llvm.load %t464 {alignment = 2 : i64} : !llvm.ptr -> i16
%t466 = arith.extui %t465 : i16 to i32
%t467 = arith.constant 16 : i32
%t468 = arith.shli %t466, %t467 : i32
%t469 = arith.bitcast %t468 : i32 to f32
%t470 = math.fma %t469, %t461, %v404 : f32
%t471 = llvm.getelementptr %t464[2] : (!llvm.ptr) -> !llvm.ptr, i8
%t472 = llvm.load %t471 {alignment = 2 : i64} : !llvm.ptr -> i16
%t473 = arith.extui %t472 : i16 to i32
%t474 = arith.constant 16 : i32
%t475 = arith.shli %t473, %t474 : i32
%t476 = arith.bitcast %t475 : i32 to f32
%t477 = math.fma %t476, %t461, %v405 : f32
%t478 = llvm.getelementptr %t464[4] : (!llvm.ptr) -> !llvm.ptr, i8
%t479 = llvm.load %t478 {alignment = 2 : i64} : !llvm.ptr -> i16
%t480 = arith.extui %t479 : i16 to i32
%t481 = arith.constant 16 : i32
%t482 = arith.shli %t480, %t481 : i32
%t483 = arith.bitcast %t482 : i32 to f32
%t484 = math.fma %t483, %t461, %v406 : f32
%t485 = llvm.getelementptr %t464[6] : (!llvm.ptr) -> !llvm.ptr, i8
%t486 = llvm.load %t485 {alignment = 2 : i64} : !llvm.ptr -> i16
%t487 = arith.extui %t486 : i16 to i32
%t488 = arith.constant 16 : i32
%t489 = arith.shli %t487, %t488 : i32
%t490 = arith.bitcast %t489 : i32 to f32
%t491 = math.fma %t490, %t461, %v407 : f32
%t492 = llvm.getelementptr %t464[8] : (!llvm.ptr) -> !llvm.ptr, i8
%t493 = llvm.load %t492 {alignment = 2 : i64} : !llvm.ptr -> i16
%t494 = arith.extui %t493 : i16 to i32
%t495 = arith.constant 16 : i32
%t496 = arith.shli %t494, %t495 : i32
%t497 = arith.bitcast %t496 : i32 to f32
%t498 = math.fma %t497, %t461, %v408 : f32
%t499 = llvm.getelementptr %t464[10] : (!llvm.ptr) -> !llvm.ptr, i8
%t500 = llvm.load %t499 {alignment = 2 : i64} : !llvm.ptr -> i16
%t501 = arith.extui %t500 : i16 to i32
%t502 = arith.constant 16 : i32
%t503 = arith.shli %t501, %t502 : i32
%t504 = arith.bitcast %t503 : i32 to f32
%t505 = math.fma %t504, %t461, %v409 : f32
%t506 = llvm.getelementptr %t464[12] : (!llvm.ptr) -> !llvm.ptr, i8
%t507 = llvm.load %t506 {alignment = 2 : i64} : !llvm.ptr -> i16
%t508 = arith.extui %t507 : i16 to i32
%t509 = arith.constant 16 : i32
%t510 = arith.shli %t508, %t509 : i32
%t511 = arith.bitcast %t510 : i32 to f32
%t512 = math.fma %t511, %t461, %v410 : f32
%t513 = llvm.getelementptr %t464[14] : (!llvm.ptr) -> !llvm.ptr, i8
%t514 = llvm.load %t513 {alignment = 2 : i64} : !llvm.ptr -> i16
%t515 = arith.extui %t514 : i16 to i32
%t516 = arith.constant 16 : i32
%t517 = arith.shli %t515, %t516 : i32
%t518 = arith.bitcast %t517 : i32 to f32
%t519 = math.fma %t518, %t461, %v411 : f32
scf.yield %t470, %t477, %t484, %t491, %t498, %t505, %t512, %t519 : f32, f32, f32, f32, f32, f32, f32, f32
}
llvm.store %r403#0, %t438 {alignment = 4 : i64} : f32, !llvm.ptr
%t520 = llvm.getelementptr %t438[128] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r403#1, %t520 {alignment = 4 : i64} : f32, !llvm.ptr
%t521 = llvm.getelementptr %t438[256] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r403#2, %t521 {alignment = 4 : i64} : f32, !llvm.ptr
%t522 = llvm.getelementptr %t438[384] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r403#3, %t522 {alignment = 4 : i64} : f32, !llvm.ptr
%t523 = llvm.getelementptr %t438[512] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r403#4, %t523 {alignment = 4 : i64} : f32, !llvm.ptr
%t524 = llvm.getelementptr %t438[640] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r403#5, %t524 {alignment = 4 : i64} : f32, !llvm.ptr
%t525 = llvm.getelementptr %t438[768] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r403#6, %t525 {alignment = 4 : i64} : f32, !llvm.ptr
%t526 = llvm.getelementptr %t438[896] : (!llvm.ptr) -> !llvm.ptr, i8
llvm.store %r403#7, %t526 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t527 = arith.constant 1 : i64
scf.for %v451 = %t434 to %t424 step %t527 : i64 {
%t528 = arith.constant 128 : i64
%t529 = arith.muli %v451, %t528 : i64
%t530 = llvm.getelementptr %t426[%t529] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t531 = arith.constant 2 : i64
%t532 = arith.muli %v451, %t531 : i64
%t533 = llvm.getelementptr %t423[%t532] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t534 = llvm.load %t530 {alignment = 4 : i64} : !llvm.ptr -> f32
%t535 = arith.constant 1 : i64
%r459:1 = scf.for %v459 = %t429 to %t116 step %t535 iter_args(%v460 = %t534) -> (f32) : i64 {
%t536 = arith.constant 128 : i64
%t537 = arith.muli %v459, %t536 : i64
%t538 = llvm.getelementptr %t428[%t537] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t539 = llvm.load %t538 {alignment = 4 : i64} : !llvm.ptr -> f32
%t540 = arith.constant 768 : i64
%t541 = arith.muli %v459, %t540 : i64
%t542 = llvm.getelementptr %t533[%t541] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t543 = llvm.load %t542 {alignment = 2 : i64} : !llvm.ptr -> i16
%t544 = arith.extui %t543 : i16 to i32
%t545 = arith.constant 16 : i32
%t546 = arith.shli %t544, %t545 : i32
%t547 = arith.bitcast %t546 : i32 to f32
%t548 = math.fma %t547, %t539, %v460 : f32
scf.yield %t548 : f32
}
llvm.store %r459#0, %t530 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
%t549 = arith.constant -1 : i64
%t550 = arith.muli %t26, %t549 : i64
%t551 = arith.addi %t39, %t550 : i64
%t552 = arith.constant 32 : i64
%t553 = arith.minsi %t551, %t552 : i64
%t554 = arith.constant 0 : i64
%t555 = arith.constant 32 : i64
scf.for %v478 = %member to %t553 step %t555 : i64 {
%t556 = arith.addi %t26, %v478 : i64
%t557 = arith.constant 32 : i64
%t558 = arith.constant 1 : i64
scf.for %v481 = %t554 to %t557 step %t558 : i64 {
%t559 = arith.constant 20480 : i64
%t560 = llvm.getelementptr %scratch[%t559] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t561 = arith.constant 128 : i64
%t562 = arith.muli %v481, %t561 : i64
%t563 = llvm.getelementptr %t560[%t562] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t564 = arith.constant 4 : i64
%t565 = arith.muli %v478, %t564 : i64
%t566 = llvm.getelementptr %t563[%t565] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t567 = llvm.load %t566 {alignment = 4 : i64} : !llvm.ptr -> f32
%t568 = arith.constant 24704 : i64
%t569 = llvm.getelementptr %scratch[%t568] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t570 = arith.constant 4 : i64
%t571 = arith.muli %v478, %t570 : i64
%t572 = llvm.getelementptr %t569[%t571] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t573 = llvm.load %t572 {alignment = 4 : i64} : !llvm.ptr -> f32
%t574 = arith.constant 0x00800000 : f32
%t575 = arith.cmpf ogt, %t573, %t574 : f32
%t576 = arith.select %t575, %t573, %t574 : f32
%t577 = arith.divf %t567, %t576 : f32
%t578 = arith.constant 0 : i64
%t579 = arith.constant 8320 : i64
%t580 = arith.muli %t38, %t579 : i64
%t581 = arith.addi %t578, %t580 : i64
%t582 = arith.constant 128 : i64
%t583 = arith.muli %t556, %t582 : i64
%t584 = arith.addi %t581, %t583 : i64
%t585 = arith.constant 32 : i64
%t586 = arith.muli %t34, %t585 : i64
%t587 = arith.addi %t584, %t586 : i64
%t588 = arith.constant 1 : i64
%t589 = arith.muli %v481, %t588 : i64
%t590 = arith.addi %t587, %t589 : i64
%t591 = arith.constant 2 : i64
%t592 = arith.muli %t590, %t591 : i64
%t593 = llvm.getelementptr %arg1[%t592] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t594 = arith.truncf %t577 : f32 to bf16
llvm.store %t594, %t593 {alignment = 2 : i64} : bf16, !llvm.ptr
}
}
%t595 = arith.constant 0 : i64
%t596 = arith.constant 32 : i64
scf.for %v517 = %member to %t553 step %t596 : i64 {
%t597 = arith.addi %t26, %v517 : i64
%t598 = arith.constant 1 : i64
%t599 = arith.constant 1 : i64
scf.for %v520 = %t595 to %t598 step %t599 : i64 {
%t600 = arith.constant 24576 : i64
%t601 = llvm.getelementptr %scratch[%t600] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t602 = arith.constant 4 : i64
%t603 = arith.muli %v517, %t602 : i64
%t604 = llvm.getelementptr %t601[%t603] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t605 = llvm.load %t604 {alignment = 4 : i64} : !llvm.ptr -> f32
%t606 = arith.constant 24704 : i64
%t607 = llvm.getelementptr %scratch[%t606] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t608 = arith.constant 4 : i64
%t609 = arith.muli %v517, %t608 : i64
%t610 = llvm.getelementptr %t607[%t609] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t611 = llvm.load %t610 {alignment = 4 : i64} : !llvm.ptr -> f32
%t612 = arith.constant 0x00800000 : f32
%t613 = arith.cmpf olt, %t611, %t612 : f32
%t614 = arith.constant 0x4B000000 : f32
%t615 = arith.mulf %t611, %t614 : f32
%t616 = arith.select %t613, %t615, %t611 : f32
%t617 = arith.bitcast %t616 : f32 to i32
%t618 = arith.constant 1060439283 : i32
%t619 = arith.constant 23 : i32
%t620 = arith.subi %t617, %t618 : i32
%t621 = arith.constant -2147483648 : i32
%t622 = arith.addi %t620, %t621 : i32
%t623 = arith.shrui %t622, %t619 : i32
%t624 = arith.constant 256 : i32
%t625 = arith.subi %t623, %t624 : i32
%t626 = arith.constant 8388607 : i32
%t627 = arith.andi %t622, %t626 : i32
%t628 = arith.addi %t627, %t618 : i32
%t629 = arith.bitcast %t628 : i32 to f32
%t630 = arith.constant 0x3F800000 : f32
%t631 = arith.subf %t629, %t630 : f32
%t632 = arith.sitofp %t625 : i32 to f32
%t633 = arith.constant 0xC1B80000 : f32
%t634 = arith.constant 0x00000000 : f32
%t635 = arith.select %t613, %t633, %t634 : f32
%t636 = arith.addf %t632, %t635 : f32
%t637 = arith.constant 0x3D8EC753 : f32
%t638 = arith.constant 0xBDEB1ADE : f32
%t639 = math.fma %t637, %t631, %t638 : f32
%t640 = arith.constant 0x3DEF5141 : f32
%t641 = math.fma %t639, %t631, %t640 : f32
%t642 = arith.constant 0xBDFE7A63 : f32
%t643 = math.fma %t641, %t631, %t642 : f32
%t644 = arith.constant 0x3E11E90D : f32
%t645 = math.fma %t643, %t631, %t644 : f32
%t646 = arith.constant 0xBE2AADA5 : f32
%t647 = math.fma %t645, %t631, %t646 : f32
%t648 = arith.constant 0x3E4CCEAD : f32
%t649 = math.fma %t647, %t631, %t648 : f32
%t650 = arith.constant 0xBE7FFFFE : f32
%t651 = math.fma %t649, %t631, %t650 : f32
%t652 = arith.constant 0x3EAAAAAA : f32
%t653 = math.fma %t651, %t631, %t652 : f32
%t654 = arith.mulf %t631, %t631 : f32
%t655 = arith.mulf %t654, %t631 : f32
%t656 = arith.constant 0x3F318000 : f32
%t657 = arith.constant 0xB95E8083 : f32
%t658 = arith.mulf %t636, %t657 : f32
%t659 = math.fma %t653, %t655, %t658 : f32
%t660 = arith.constant 0xBF000000 : f32
%t661 = math.fma %t660, %t654, %t659 : f32
%t662 = arith.addf %t631, %t661 : f32
%t663 = math.fma %t636, %t656, %t662 : f32
%t664 = arith.constant 0x7F800000 : f32
%t665 = arith.cmpf olt, %t611, %t664 : f32
%t666 = arith.select %t665, %t663, %t611 : f32
%t667 = arith.constant 0xFF800000 : f32
%t668 = arith.cmpf oeq, %t611, %t634 : f32
%t669 = arith.select %t668, %t667, %t666 : f32
%t670 = arith.constant 0x7FC00000 : f32
%t671 = arith.cmpf olt, %t611, %t634 : f32
%t672 = arith.select %t671, %t670, %t669 : f32
%t673 = arith.addf %t605, %t672 : f32
%t674 = arith.constant 0 : i64
%t675 = arith.constant 260 : i64
%t676 = arith.muli %t38, %t675 : i64
%t677 = arith.addi %t674, %t676 : i64
%t678 = arith.constant 65 : i64
%t679 = arith.muli %t34, %t678 : i64
%t680 = arith.addi %t677, %t679 : i64
%t681 = arith.constant 1 : i64
%t682 = arith.muli %t597, %t681 : i64
%t683 = arith.addi %t680, %t682 : i64
%t684 = arith.constant 4 : i64
%t685 = arith.muli %t683, %t684 : i64
%t686 = llvm.getelementptr %arg2[%t685] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t673, %t686 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
}
}
llvm.return
}
