// matmul+add: teams contract by teams
llvm.mlir.global external @scratch() {addr_space = 3 : i32, alignment = 64 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr, %arg3: !llvm.ptr, %ext0: i64, %tiles: i64) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>, nvvm.minctasm = 3 : i32} {
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
%bytes = arith.constant 0 : i64
%skipped = arith.muli %team, %bytes : i64
%own = llvm.getelementptr %shared[%skipped] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
%scratch = llvm.addrspacecast %own : !llvm.ptr<3> to !llvm.ptr
scf.if %exists {
%t0 = arith.constant 384 : i64
%t1 = arith.constant 128 : i64
%t2 = arith.constant 15 : i64
%t3 = arith.constant 16 : i64
%t4 = arith.addi %ext0, %t2 : i64
%t5 = arith.divui %t4, %t3 : i64
%t6 = arith.constant 31 : i64
%t7 = arith.constant 32 : i64
%t8 = arith.addi %t0, %t6 : i64
%t9 = arith.divui %t8, %t7 : i64
%t10 = arith.constant 1 : i64
scf.for %v18 = %tile_begin to %tile_end step %t10 : i64 {
%t11 = arith.remui %v18, %t9 : i64
%t12 = arith.divui %v18, %t9 : i64
%t13 = arith.constant 32 : i64
%t14 = arith.muli %t11, %t13 : i64
%t15 = arith.constant 32 : i64
%t16 = arith.addi %t14, %t15 : i64
%t17 = arith.minsi %t16, %t0 : i64
%t18 = arith.constant 16 : i64
%t19 = arith.muli %t12, %t18 : i64
%t20 = arith.constant 16 : i64
%t21 = arith.addi %t19, %t20 : i64
%t22 = arith.minsi %t21, %ext0 : i64
%t23 = arith.constant 8 : i64
%t24 = arith.divui %member, %t23 : i64
%t25 = arith.remui %member, %t23 : i64
%t26 = arith.addi %t19, %t24 : i64
%t27 = arith.constant -1 : i64
%t28 = arith.addi %t22, %t27 : i64
%t29 = arith.maxsi %t28, %t19 : i64
%t30 = arith.constant 0 : i64
%t31 = arith.addi %t26, %t30 : i64
%t32 = arith.cmpi slt, %t31, %t22 : i64
%t33 = arith.cmpi sle, %t19, %t31 : i64
%t34 = arith.andi %t33, %t32 : i1
%t35 = arith.minsi %t31, %t29 : i64
%t36 = arith.maxsi %t35, %t19 : i64
%t37 = arith.constant 4 : i64
%t38 = arith.addi %t26, %t37 : i64
%t39 = arith.cmpi slt, %t38, %t22 : i64
%t40 = arith.cmpi sle, %t19, %t38 : i64
%t41 = arith.andi %t40, %t39 : i1
%t42 = arith.minsi %t38, %t29 : i64
%t43 = arith.maxsi %t42, %t19 : i64
%t44 = arith.constant 8 : i64
%t45 = arith.addi %t26, %t44 : i64
%t46 = arith.cmpi slt, %t45, %t22 : i64
%t47 = arith.cmpi sle, %t19, %t45 : i64
%t48 = arith.andi %t47, %t46 : i1
%t49 = arith.minsi %t45, %t29 : i64
%t50 = arith.maxsi %t49, %t19 : i64
%t51 = arith.constant 12 : i64
%t52 = arith.addi %t26, %t51 : i64
%t53 = arith.cmpi slt, %t52, %t22 : i64
%t54 = arith.cmpi sle, %t19, %t52 : i64
%t55 = arith.andi %t54, %t53 : i1
%t56 = arith.minsi %t52, %t29 : i64
%t57 = arith.maxsi %t56, %t19 : i64
%t58 = arith.addi %t14, %t25 : i64
%t59 = arith.constant -1 : i64
%t60 = arith.addi %t17, %t59 : i64
%t61 = arith.maxsi %t60, %t14 : i64
%t62 = arith.constant 0 : i64
%t63 = arith.addi %t58, %t62 : i64
%t64 = arith.cmpi slt, %t63, %t17 : i64
%t65 = arith.cmpi sle, %t14, %t63 : i64
%t66 = arith.andi %t65, %t64 : i1
%t67 = arith.minsi %t63, %t61 : i64
%t68 = arith.maxsi %t67, %t14 : i64
%t69 = arith.constant 8 : i64
%t70 = arith.addi %t58, %t69 : i64
%t71 = arith.cmpi slt, %t70, %t17 : i64
%t72 = arith.cmpi sle, %t14, %t70 : i64
%t73 = arith.andi %t72, %t71 : i1
%t74 = arith.minsi %t70, %t61 : i64
%t75 = arith.maxsi %t74, %t14 : i64
%t76 = arith.constant 16 : i64
%t77 = arith.addi %t58, %t76 : i64
%t78 = arith.cmpi slt, %t77, %t17 : i64
%t79 = arith.cmpi sle, %t14, %t77 : i64
%t80 = arith.andi %t79, %t78 : i1
%t81 = arith.minsi %t77, %t61 : i64
%t82 = arith.maxsi %t81, %t14 : i64
%t83 = arith.constant 24 : i64
%t84 = arith.addi %t58, %t83 : i64
%t85 = arith.cmpi slt, %t84, %t17 : i64
%t86 = arith.cmpi sle, %t14, %t84 : i64
%t87 = arith.andi %t86, %t85 : i1
%t88 = arith.minsi %t84, %t61 : i64
%t89 = arith.maxsi %t88, %t14 : i64
%t90 = arith.constant 0x00000000 : f32
%t91 = arith.constant 0 : i64
%t92 = arith.constant 1 : i64
%r101:16 = scf.for %v101 = %t91 to %t1 step %t92 iter_args(%v102 = %t90, %v103 = %t90, %v104 = %t90, %v105 = %t90, %v106 = %t90, %v107 = %t90, %v108 = %t90, %v109 = %t90, %v110 = %t90, %v111 = %t90, %v112 = %t90, %v113 = %t90, %v114 = %t90, %v115 = %t90, %v116 = %t90, %v117 = %t90) -> (f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) : i64 {
%t93 = arith.constant 4 : i64
%t94 = arith.muli %v101, %t93 : i64
%t95 = llvm.getelementptr %arg0[%t94] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t96 = arith.constant 512 : i64
%t97 = arith.muli %t36, %t96 : i64
%t98 = llvm.getelementptr %t95[%t97] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t99 = llvm.load %t98 {alignment = 4 : i64} : !llvm.ptr -> f32
%t100 = arith.constant 4 : i64
%t101 = arith.muli %v101, %t100 : i64
%t102 = llvm.getelementptr %arg0[%t101] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t103 = arith.constant 512 : i64
%t104 = arith.muli %t43, %t103 : i64
%t105 = llvm.getelementptr %t102[%t104] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t106 = llvm.load %t105 {alignment = 4 : i64} : !llvm.ptr -> f32
%t107 = arith.constant 4 : i64
%t108 = arith.muli %v101, %t107 : i64
%t109 = llvm.getelementptr %arg0[%t108] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t110 = arith.constant 512 : i64
%t111 = arith.muli %t50, %t110 : i64
%t112 = llvm.getelementptr %t109[%t111] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t113 = llvm.load %t112 {alignment = 4 : i64} : !llvm.ptr -> f32
%t114 = arith.constant 4 : i64
%t115 = arith.muli %v101, %t114 : i64
%t116 = llvm.getelementptr %arg0[%t115] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t117 = arith.constant 512 : i64
%t118 = arith.muli %t57, %t117 : i64
%t119 = llvm.getelementptr %t116[%t118] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t120 = llvm.load %t119 {alignment = 4 : i64} : !llvm.ptr -> f32
%t121 = arith.constant 4 : i64
%t122 = arith.muli %v101, %t121 : i64
%t123 = llvm.getelementptr %arg1[%t122] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t124 = arith.constant 512 : i64
%t125 = arith.muli %t68, %t124 : i64
%t126 = llvm.getelementptr %t123[%t125] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t127 = llvm.load %t126 {alignment = 4 : i64} : !llvm.ptr -> f32
%t128 = arith.constant 4 : i64
%t129 = arith.muli %v101, %t128 : i64
%t130 = llvm.getelementptr %arg1[%t129] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t131 = arith.constant 512 : i64
%t132 = arith.muli %t75, %t131 : i64
%t133 = llvm.getelementptr %t130[%t132] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t134 = llvm.load %t133 {alignment = 4 : i64} : !llvm.ptr -> f32
%t135 = arith.constant 4 : i64
%t136 = arith.muli %v101, %t135 : i64
%t137 = llvm.getelementptr %arg1[%t136] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t138 = arith.constant 512 : i64
%t139 = arith.muli %t82, %t138 : i64
%t140 = llvm.getelementptr %t137[%t139] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t141 = llvm.load %t140 {alignment = 4 : i64} : !llvm.ptr -> f32
%t142 = arith.constant 4 : i64
%t143 = arith.muli %v101, %t142 : i64
%t144 = llvm.getelementptr %arg1[%t143] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t145 = arith.constant 512 : i64
%t146 = arith.muli %t89, %t145 : i64
%t147 = llvm.getelementptr %t144[%t146] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t148 = llvm.load %t147 {alignment = 4 : i64} : !llvm.ptr -> f32
%t149 = math.fma %t99, %t127, %v102 : f32
%t150 = math.fma %t99, %t134, %v103 : f32
%t151 = math.fma %t99, %t141, %v104 : f32
%t152 = math.fma %t99, %t148, %v105 : f32
%t153 = math.fma %t106, %t127, %v106 : f32
%t154 = math.fma %t106, %t134, %v107 : f32
%t155 = math.fma %t106, %t141, %v108 : f32
%t156 = math.fma %t106, %t148, %v109 : f32
%t157 = math.fma %t113, %t127, %v110 : f32
%t158 = math.fma %t113, %t134, %v111 : f32
%t159 = math.fma %t113, %t141, %v112 : f32
%t160 = math.fma %t113, %t148, %v113 : f32
%t161 = math.fma %t120, %t127, %v114 : f32
%t162 = math.fma %t120, %t134, %v115 : f32
%t163 = math.fma %t120, %t141, %v116 : f32
%t164 = math.fma %t120, %t148, %v117 : f32
scf.yield %t149, %t150, %t151, %t152, %t153, %t154, %t155, %t156, %t157, %t158, %t159, %t160, %t161, %t162, %t163, %t164 : f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32
}
%t165 = arith.andi %t34, %t66 : i1
scf.if %t165 {
%t166 = arith.constant 4 : i64
%t167 = arith.muli %t68, %t166 : i64
%t168 = llvm.getelementptr %arg2[%t167] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t169 = llvm.load %t168 {alignment = 4 : i64} : !llvm.ptr -> f32
%t170 = arith.addf %r101#0, %t169 : f32
%t171 = arith.constant 1536 : i64
%t172 = arith.muli %t36, %t171 : i64
%t173 = llvm.getelementptr %arg3[%t172] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t174 = arith.constant 4 : i64
%t175 = arith.muli %t68, %t174 : i64
%t176 = llvm.getelementptr %t173[%t175] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t170, %t176 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t177 = arith.andi %t34, %t73 : i1
scf.if %t177 {
%t178 = arith.constant 4 : i64
%t179 = arith.muli %t75, %t178 : i64
%t180 = llvm.getelementptr %arg2[%t179] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t181 = llvm.load %t180 {alignment = 4 : i64} : !llvm.ptr -> f32
%t182 = arith.addf %r101#1, %t181 : f32
%t183 = arith.constant 1536 : i64
%t184 = arith.muli %t36, %t183 : i64
%t185 = llvm.getelementptr %arg3[%t184] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t186 = arith.constant 4 : i64
%t187 = arith.muli %t75, %t186 : i64
%t188 = llvm.getelementptr %t185[%t187] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t182, %t188 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t189 = arith.andi %t34, %t80 : i1
scf.if %t189 {
%t190 = arith.constant 4 : i64
%t191 = arith.muli %t82, %t190 : i64
%t192 = llvm.getelementptr %arg2[%t191] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t193 = llvm.load %t192 {alignment = 4 : i64} : !llvm.ptr -> f32
%t194 = arith.addf %r101#2, %t193 : f32
%t195 = arith.constant 1536 : i64
%t196 = arith.muli %t36, %t195 : i64
%t197 = llvm.getelementptr %arg3[%t196] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t198 = arith.constant 4 : i64
%t199 = arith.muli %t82, %t198 : i64
%t200 = llvm.getelementptr %t197[%t199] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t194, %t200 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t201 = arith.andi %t34, %t87 : i1
scf.if %t201 {
%t202 = arith.constant 4 : i64
%t203 = arith.muli %t89, %t202 : i64
%t204 = llvm.getelementptr %arg2[%t203] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t205 = llvm.load %t204 {alignment = 4 : i64} : !llvm.ptr -> f32
%t206 = arith.addf %r101#3, %t205 : f32
%t207 = arith.constant 1536 : i64
%t208 = arith.muli %t36, %t207 : i64
%t209 = llvm.getelementptr %arg3[%t208] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t210 = arith.constant 4 : i64
%t211 = arith.muli %t89, %t210 : i64
%t212 = llvm.getelementptr %t209[%t211] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t206, %t212 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t213 = arith.andi %t41, %t66 : i1
scf.if %t213 {
%t214 = arith.constant 4 : i64
%t215 = arith.muli %t68, %t214 : i64
%t216 = llvm.getelementptr %arg2[%t215] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t217 = llvm.load %t216 {alignment = 4 : i64} : !llvm.ptr -> f32
%t218 = arith.addf %r101#4, %t217 : f32
%t219 = arith.constant 1536 : i64
%t220 = arith.muli %t43, %t219 : i64
%t221 = llvm.getelementptr %arg3[%t220] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t222 = arith.constant 4 : i64
%t223 = arith.muli %t68, %t222 : i64
%t224 = llvm.getelementptr %t221[%t223] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t218, %t224 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t225 = arith.andi %t41, %t73 : i1
scf.if %t225 {
%t226 = arith.constant 4 : i64
%t227 = arith.muli %t75, %t226 : i64
%t228 = llvm.getelementptr %arg2[%t227] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t229 = llvm.load %t228 {alignment = 4 : i64} : !llvm.ptr -> f32
%t230 = arith.addf %r101#5, %t229 : f32
%t231 = arith.constant 1536 : i64
%t232 = arith.muli %t43, %t231 : i64
%t233 = llvm.getelementptr %arg3[%t232] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t234 = arith.constant 4 : i64
%t235 = arith.muli %t75, %t234 : i64
%t236 = llvm.getelementptr %t233[%t235] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t230, %t236 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t237 = arith.andi %t41, %t80 : i1
scf.if %t237 {
%t238 = arith.constant 4 : i64
%t239 = arith.muli %t82, %t238 : i64
%t240 = llvm.getelementptr %arg2[%t239] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t241 = llvm.load %t240 {alignment = 4 : i64} : !llvm.ptr -> f32
%t242 = arith.addf %r101#6, %t241 : f32
%t243 = arith.constant 1536 : i64
%t244 = arith.muli %t43, %t243 : i64
%t245 = llvm.getelementptr %arg3[%t244] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t246 = arith.constant 4 : i64
%t247 = arith.muli %t82, %t246 : i64
%t248 = llvm.getelementptr %t245[%t247] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t242, %t248 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t249 = arith.andi %t41, %t87 : i1
scf.if %t249 {
%t250 = arith.constant 4 : i64
%t251 = arith.muli %t89, %t250 : i64
%t252 = llvm.getelementptr %arg2[%t251] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t253 = llvm.load %t252 {alignment = 4 : i64} : !llvm.ptr -> f32
%t254 = arith.addf %r101#7, %t253 : f32
%t255 = arith.constant 1536 : i64
%t256 = arith.muli %t43, %t255 : i64
%t257 = llvm.getelementptr %arg3[%t256] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t258 = arith.constant 4 : i64
%t259 = arith.muli %t89, %t258 : i64
%t260 = llvm.getelementptr %t257[%t259] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t254, %t260 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t261 = arith.andi %t48, %t66 : i1
scf.if %t261 {
%t262 = arith.constant 4 : i64
%t263 = arith.muli %t68, %t262 : i64
%t264 = llvm.getelementptr %arg2[%t263] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t265 = llvm.load %t264 {alignment = 4 : i64} : !llvm.ptr -> f32
%t266 = arith.addf %r101#8, %t265 : f32
%t267 = arith.constant 1536 : i64
%t268 = arith.muli %t50, %t267 : i64
%t269 = llvm.getelementptr %arg3[%t268] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t270 = arith.constant 4 : i64
%t271 = arith.muli %t68, %t270 : i64
%t272 = llvm.getelementptr %t269[%t271] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t266, %t272 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t273 = arith.andi %t48, %t73 : i1
scf.if %t273 {
%t274 = arith.constant 4 : i64
%t275 = arith.muli %t75, %t274 : i64
%t276 = llvm.getelementptr %arg2[%t275] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t277 = llvm.load %t276 {alignment = 4 : i64} : !llvm.ptr -> f32
%t278 = arith.addf %r101#9, %t277 : f32
%t279 = arith.constant 1536 : i64
%t280 = arith.muli %t50, %t279 : i64
%t281 = llvm.getelementptr %arg3[%t280] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t282 = arith.constant 4 : i64
%t283 = arith.muli %t75, %t282 : i64
%t284 = llvm.getelementptr %t281[%t283] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t278, %t284 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t285 = arith.andi %t48, %t80 : i1
scf.if %t285 {
%t286 = arith.constant 4 : i64
%t287 = arith.muli %t82, %t286 : i64
%t288 = llvm.getelementptr %arg2[%t287] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t289 = llvm.load %t288 {alignment = 4 : i64} : !llvm.ptr -> f32
%t290 = arith.addf %r101#10, %t289 : f32
%t291 = arith.constant 1536 : i64
%t292 = arith.muli %t50, %t291 : i64
%t293 = llvm.getelementptr %arg3[%t292] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t294 = arith.constant 4 : i64
%t295 = arith.muli %t82, %t294 : i64
%t296 = llvm.getelementptr %t293[%t295] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t290, %t296 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t297 = arith.andi %t48, %t87 : i1
scf.if %t297 {
%t298 = arith.constant 4 : i64
%t299 = arith.muli %t89, %t298 : i64
%t300 = llvm.getelementptr %arg2[%t299] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t301 = llvm.load %t300 {alignment = 4 : i64} : !llvm.ptr -> f32
%t302 = arith.addf %r101#11, %t301 : f32
%t303 = arith.constant 1536 : i64
%t304 = arith.muli %t50, %t303 : i64
%t305 = llvm.getelementptr %arg3[%t304] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t306 = arith.constant 4 : i64
%t307 = arith.muli %t89, %t306 : i64
%t308 = llvm.getelementptr %t305[%t307] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t302, %t308 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t309 = arith.andi %t55, %t66 : i1
scf.if %t309 {
%t310 = arith.constant 4 : i64
%t311 = arith.muli %t68, %t310 : i64
%t312 = llvm.getelementptr %arg2[%t311] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t313 = llvm.load %t312 {alignment = 4 : i64} : !llvm.ptr -> f32
%t314 = arith.addf %r101#12, %t313 : f32
%t315 = arith.constant 1536 : i64
%t316 = arith.muli %t57, %t315 : i64
%t317 = llvm.getelementptr %arg3[%t316] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t318 = arith.constant 4 : i64
%t319 = arith.muli %t68, %t318 : i64
%t320 = llvm.getelementptr %t317[%t319] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t314, %t320 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t321 = arith.andi %t55, %t73 : i1
scf.if %t321 {
%t322 = arith.constant 4 : i64
%t323 = arith.muli %t75, %t322 : i64
%t324 = llvm.getelementptr %arg2[%t323] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t325 = llvm.load %t324 {alignment = 4 : i64} : !llvm.ptr -> f32
%t326 = arith.addf %r101#13, %t325 : f32
%t327 = arith.constant 1536 : i64
%t328 = arith.muli %t57, %t327 : i64
%t329 = llvm.getelementptr %arg3[%t328] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t330 = arith.constant 4 : i64
%t331 = arith.muli %t75, %t330 : i64
%t332 = llvm.getelementptr %t329[%t331] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t326, %t332 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t333 = arith.andi %t55, %t80 : i1
scf.if %t333 {
%t334 = arith.constant 4 : i64
%t335 = arith.muli %t82, %t334 : i64
%t336 = llvm.getelementptr %arg2[%t335] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t337 = llvm.load %t336 {alignment = 4 : i64} : !llvm.ptr -> f32
%t338 = arith.addf %r101#14, %t337 : f32
%t339 = arith.constant 1536 : i64
%t340 = arith.muli %t57, %t339 : i64
%t341 = llvm.getelementptr %arg3[%t340] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t342 = arith.constant 4 : i64
%t343 = arith.muli %t82, %t342 : i64
%t344 = llvm.getelementptr %t341[%t343] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t338, %t344 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t345 = arith.andi %t55, %t87 : i1
scf.if %t345 {
%t346 = arith.constant 4 : i64
%t347 = arith.muli %t89, %t346 : i64
%t348 = llvm.getelementptr %arg2[%t347] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t349 = llvm.load %t348 {alignment = 4 : i64} : !llvm.ptr -> f32
%t350 = arith.addf %r101#15, %t349 : f32
%t351 = arith.constant 1536 : i64
%t352 = arith.muli %t57, %t351 : i64
%t353 = llvm.getelementptr %arg3[%t352] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t354 = arith.constant 4 : i64
%t355 = arith.muli %t89, %t354 : i64
%t356 = llvm.getelementptr %t353[%t355] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t350, %t356 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
}
llvm.return
}
