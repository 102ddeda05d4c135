// matmul+add: teams contract by teams
llvm.mlir.global external @scratch() {addr_space = 3 : i32, alignment = 64 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr, %arg3: !llvm.ptr, %ext0: i64, %tiles: i64) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
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
%t26 = arith.constant -1 : i64
%t27 = arith.addi %ext0, %t26 : i64
%t28 = arith.addi %t19, %t24 : i64
%t29 = arith.constant 0 : i64
%t30 = arith.addi %t28, %t29 : i64
%t31 = arith.cmpi slt, %t30, %ext0 : i64
%t32 = arith.minsi %t30, %t27 : i64
%t33 = arith.constant 4 : i64
%t34 = arith.addi %t28, %t33 : i64
%t35 = arith.cmpi slt, %t34, %ext0 : i64
%t36 = arith.minsi %t34, %t27 : i64
%t37 = arith.constant 8 : i64
%t38 = arith.addi %t28, %t37 : i64
%t39 = arith.cmpi slt, %t38, %ext0 : i64
%t40 = arith.minsi %t38, %t27 : i64
%t41 = arith.constant 12 : i64
%t42 = arith.addi %t28, %t41 : i64
%t43 = arith.cmpi slt, %t42, %ext0 : i64
%t44 = arith.minsi %t42, %t27 : i64
%t45 = arith.constant -1 : i64
%t46 = arith.addi %t0, %t45 : i64
%t47 = arith.addi %t14, %t25 : i64
%t48 = arith.constant 0 : i64
%t49 = arith.addi %t47, %t48 : i64
%t50 = arith.cmpi slt, %t49, %t0 : i64
%t51 = arith.minsi %t49, %t46 : i64
%t52 = arith.constant 8 : i64
%t53 = arith.addi %t47, %t52 : i64
%t54 = arith.cmpi slt, %t53, %t0 : i64
%t55 = arith.minsi %t53, %t46 : i64
%t56 = arith.constant 16 : i64
%t57 = arith.addi %t47, %t56 : i64
%t58 = arith.cmpi slt, %t57, %t0 : i64
%t59 = arith.minsi %t57, %t46 : i64
%t60 = arith.constant 24 : i64
%t61 = arith.addi %t47, %t60 : i64
%t62 = arith.cmpi slt, %t61, %t0 : i64
%t63 = arith.minsi %t61, %t46 : i64
%t64 = arith.constant 0x00000000 : f32
%t65 = arith.constant 0 : i64
%t66 = arith.constant 1 : i64
%r75:16 = scf.for %v75 = %t65 to %t1 step %t66 iter_args(%v76 = %t64, %v77 = %t64, %v78 = %t64, %v79 = %t64, %v80 = %t64, %v81 = %t64, %v82 = %t64, %v83 = %t64, %v84 = %t64, %v85 = %t64, %v86 = %t64, %v87 = %t64, %v88 = %t64, %v89 = %t64, %v90 = %t64, %v91 = %t64) -> (f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) : i64 {
%t67 = arith.constant 4 : i64
%t68 = arith.muli %v75, %t67 : i64
%t69 = llvm.getelementptr %arg0[%t68] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t70 = arith.constant 512 : i64
%t71 = arith.muli %t32, %t70 : i64
%t72 = llvm.getelementptr %t69[%t71] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t73 = llvm.load %t72 {alignment = 4 : i64} : !llvm.ptr -> f32
%t74 = arith.constant 4 : i64
%t75 = arith.muli %v75, %t74 : i64
%t76 = llvm.getelementptr %arg0[%t75] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t77 = arith.constant 512 : i64
%t78 = arith.muli %t36, %t77 : i64
%t79 = llvm.getelementptr %t76[%t78] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t80 = llvm.load %t79 {alignment = 4 : i64} : !llvm.ptr -> f32
%t81 = arith.constant 4 : i64
%t82 = arith.muli %v75, %t81 : i64
%t83 = llvm.getelementptr %arg0[%t82] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t84 = arith.constant 512 : i64
%t85 = arith.muli %t40, %t84 : i64
%t86 = llvm.getelementptr %t83[%t85] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t87 = llvm.load %t86 {alignment = 4 : i64} : !llvm.ptr -> f32
%t88 = arith.constant 4 : i64
%t89 = arith.muli %v75, %t88 : i64
%t90 = llvm.getelementptr %arg0[%t89] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t91 = arith.constant 512 : i64
%t92 = arith.muli %t44, %t91 : i64
%t93 = llvm.getelementptr %t90[%t92] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t94 = llvm.load %t93 {alignment = 4 : i64} : !llvm.ptr -> f32
%t95 = arith.constant 4 : i64
%t96 = arith.muli %v75, %t95 : i64
%t97 = llvm.getelementptr %arg1[%t96] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t98 = arith.constant 512 : i64
%t99 = arith.muli %t51, %t98 : i64
%t100 = llvm.getelementptr %t97[%t99] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t101 = llvm.load %t100 {alignment = 4 : i64} : !llvm.ptr -> f32
%t102 = arith.constant 4 : i64
%t103 = arith.muli %v75, %t102 : i64
%t104 = llvm.getelementptr %arg1[%t103] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t105 = arith.constant 512 : i64
%t106 = arith.muli %t55, %t105 : i64
%t107 = llvm.getelementptr %t104[%t106] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t108 = llvm.load %t107 {alignment = 4 : i64} : !llvm.ptr -> f32
%t109 = arith.constant 4 : i64
%t110 = arith.muli %v75, %t109 : i64
%t111 = llvm.getelementptr %arg1[%t110] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t112 = arith.constant 512 : i64
%t113 = arith.muli %t59, %t112 : i64
%t114 = llvm.getelementptr %t111[%t113] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t115 = llvm.load %t114 {alignment = 4 : i64} : !llvm.ptr -> f32
%t116 = arith.constant 4 : i64
%t117 = arith.muli %v75, %t116 : i64
%t118 = llvm.getelementptr %arg1[%t117] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t119 = arith.constant 512 : i64
%t120 = arith.muli %t63, %t119 : i64
%t121 = llvm.getelementptr %t118[%t120] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t122 = llvm.load %t121 {alignment = 4 : i64} : !llvm.ptr -> f32
%t123 = math.fma %t73, %t101, %v76 : f32
%t124 = math.fma %t73, %t108, %v77 : f32
%t125 = math.fma %t73, %t115, %v78 : f32
%t126 = math.fma %t73, %t122, %v79 : f32
%t127 = math.fma %t80, %t101, %v80 : f32
%t128 = math.fma %t80, %t108, %v81 : f32
%t129 = math.fma %t80, %t115, %v82 : f32
%t130 = math.fma %t80, %t122, %v83 : f32
%t131 = math.fma %t87, %t101, %v84 : f32
%t132 = math.fma %t87, %t108, %v85 : f32
%t133 = math.fma %t87, %t115, %v86 : f32
%t134 = math.fma %t87, %t122, %v87 : f32
%t135 = math.fma %t94, %t101, %v88 : f32
%t136 = math.fma %t94, %t108, %v89 : f32
%t137 = math.fma %t94, %t115, %v90 : f32
%t138 = math.fma %t94, %t122, %v91 : f32
scf.yield %t123, %t124, %t125, %t126, %t127, %t128, %t129, %t130, %t131, %t132, %t133, %t134, %t135, %t136, %t137, %t138 : f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32
}
%t139 = arith.andi %t31, %t50 : i1
scf.if %t139 {
%t140 = arith.constant 4 : i64
%t141 = arith.muli %t51, %t140 : i64
%t142 = llvm.getelementptr %arg2[%t141] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t143 = llvm.load %t142 {alignment = 4 : i64} : !llvm.ptr -> f32
%t144 = arith.addf %r75#0, %t143 : f32
%t145 = arith.constant 1536 : i64
%t146 = arith.muli %t32, %t145 : i64
%t147 = llvm.getelementptr %arg3[%t146] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t148 = arith.constant 4 : i64
%t149 = arith.muli %t51, %t148 : i64
%t150 = llvm.getelementptr %t147[%t149] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t144, %t150 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t151 = arith.andi %t31, %t54 : i1
scf.if %t151 {
%t152 = arith.constant 4 : i64
%t153 = arith.muli %t55, %t152 : i64
%t154 = llvm.getelementptr %arg2[%t153] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t155 = llvm.load %t154 {alignment = 4 : i64} : !llvm.ptr -> f32
%t156 = arith.addf %r75#1, %t155 : f32
%t157 = arith.constant 1536 : i64
%t158 = arith.muli %t32, %t157 : i64
%t159 = llvm.getelementptr %arg3[%t158] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t160 = arith.constant 4 : i64
%t161 = arith.muli %t55, %t160 : i64
%t162 = llvm.getelementptr %t159[%t161] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t156, %t162 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t163 = arith.andi %t31, %t58 : i1
scf.if %t163 {
%t164 = arith.constant 4 : i64
%t165 = arith.muli %t59, %t164 : i64
%t166 = llvm.getelementptr %arg2[%t165] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t167 = llvm.load %t166 {alignment = 4 : i64} : !llvm.ptr -> f32
%t168 = arith.addf %r75#2, %t167 : f32
%t169 = arith.constant 1536 : i64
%t170 = arith.muli %t32, %t169 : i64
%t171 = llvm.getelementptr %arg3[%t170] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t172 = arith.constant 4 : i64
%t173 = arith.muli %t59, %t172 : i64
%t174 = llvm.getelementptr %t171[%t173] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t168, %t174 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t175 = arith.andi %t31, %t62 : i1
scf.if %t175 {
%t176 = arith.constant 4 : i64
%t177 = arith.muli %t63, %t176 : i64
%t178 = llvm.getelementptr %arg2[%t177] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t179 = llvm.load %t178 {alignment = 4 : i64} : !llvm.ptr -> f32
%t180 = arith.addf %r75#3, %t179 : f32
%t181 = arith.constant 1536 : i64
%t182 = arith.muli %t32, %t181 : i64
%t183 = llvm.getelementptr %arg3[%t182] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t184 = arith.constant 4 : i64
%t185 = arith.muli %t63, %t184 : i64
%t186 = llvm.getelementptr %t183[%t185] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t180, %t186 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t187 = arith.andi %t35, %t50 : i1
scf.if %t187 {
%t188 = arith.constant 4 : i64
%t189 = arith.muli %t51, %t188 : i64
%t190 = llvm.getelementptr %arg2[%t189] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t191 = llvm.load %t190 {alignment = 4 : i64} : !llvm.ptr -> f32
%t192 = arith.addf %r75#4, %t191 : f32
%t193 = arith.constant 1536 : i64
%t194 = arith.muli %t36, %t193 : i64
%t195 = llvm.getelementptr %arg3[%t194] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t196 = arith.constant 4 : i64
%t197 = arith.muli %t51, %t196 : i64
%t198 = llvm.getelementptr %t195[%t197] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t192, %t198 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t199 = arith.andi %t35, %t54 : i1
scf.if %t199 {
%t200 = arith.constant 4 : i64
%t201 = arith.muli %t55, %t200 : i64
%t202 = llvm.getelementptr %arg2[%t201] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t203 = llvm.load %t202 {alignment = 4 : i64} : !llvm.ptr -> f32
%t204 = arith.addf %r75#5, %t203 : f32
%t205 = arith.constant 1536 : i64
%t206 = arith.muli %t36, %t205 : i64
%t207 = llvm.getelementptr %arg3[%t206] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t208 = arith.constant 4 : i64
%t209 = arith.muli %t55, %t208 : i64
%t210 = llvm.getelementptr %t207[%t209] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t204, %t210 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t211 = arith.andi %t35, %t58 : i1
scf.if %t211 {
%t212 = arith.constant 4 : i64
%t213 = arith.muli %t59, %t212 : i64
%t214 = llvm.getelementptr %arg2[%t213] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t215 = llvm.load %t214 {alignment = 4 : i64} : !llvm.ptr -> f32
%t216 = arith.addf %r75#6, %t215 : f32
%t217 = arith.constant 1536 : i64
%t218 = arith.muli %t36, %t217 : i64
%t219 = llvm.getelementptr %arg3[%t218] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t220 = arith.constant 4 : i64
%t221 = arith.muli %t59, %t220 : i64
%t222 = llvm.getelementptr %t219[%t221] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t216, %t222 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t223 = arith.andi %t35, %t62 : i1
scf.if %t223 {
%t224 = arith.constant 4 : i64
%t225 = arith.muli %t63, %t224 : i64
%t226 = llvm.getelementptr %arg2[%t225] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t227 = llvm.load %t226 {alignment = 4 : i64} : !llvm.ptr -> f32
%t228 = arith.addf %r75#7, %t227 : f32
%t229 = arith.constant 1536 : i64
%t230 = arith.muli %t36, %t229 : i64
%t231 = llvm.getelementptr %arg3[%t230] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t232 = arith.constant 4 : i64
%t233 = arith.muli %t63, %t232 : i64
%t234 = llvm.getelementptr %t231[%t233] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t228, %t234 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t235 = arith.andi %t39, %t50 : i1
scf.if %t235 {
%t236 = arith.constant 4 : i64
%t237 = arith.muli %t51, %t236 : i64
%t238 = llvm.getelementptr %arg2[%t237] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t239 = llvm.load %t238 {alignment = 4 : i64} : !llvm.ptr -> f32
%t240 = arith.addf %r75#8, %t239 : f32
%t241 = arith.constant 1536 : i64
%t242 = arith.muli %t40, %t241 : i64
%t243 = llvm.getelementptr %arg3[%t242] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t244 = arith.constant 4 : i64
%t245 = arith.muli %t51, %t244 : i64
%t246 = llvm.getelementptr %t243[%t245] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t240, %t246 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t247 = arith.andi %t39, %t54 : i1
scf.if %t247 {
%t248 = arith.constant 4 : i64
%t249 = arith.muli %t55, %t248 : i64
%t250 = llvm.getelementptr %arg2[%t249] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t251 = llvm.load %t250 {alignment = 4 : i64} : !llvm.ptr -> f32
%t252 = arith.addf %r75#9, %t251 : f32
%t253 = arith.constant 1536 : i64
%t254 = arith.muli %t40, %t253 : i64
%t255 = llvm.getelementptr %arg3[%t254] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t256 = arith.constant 4 : i64
%t257 = arith.muli %t55, %t256 : i64
%t258 = llvm.getelementptr %t255[%t257] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t252, %t258 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t259 = arith.andi %t39, %t58 : i1
scf.if %t259 {
%t260 = arith.constant 4 : i64
%t261 = arith.muli %t59, %t260 : i64
%t262 = llvm.getelementptr %arg2[%t261] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t263 = llvm.load %t262 {alignment = 4 : i64} : !llvm.ptr -> f32
%t264 = arith.addf %r75#10, %t263 : f32
%t265 = arith.constant 1536 : i64
%t266 = arith.muli %t40, %t265 : i64
%t267 = llvm.getelementptr %arg3[%t266] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t268 = arith.constant 4 : i64
%t269 = arith.muli %t59, %t268 : i64
%t270 = llvm.getelementptr %t267[%t269] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t264, %t270 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t271 = arith.andi %t39, %t62 : i1
scf.if %t271 {
%t272 = arith.constant 4 : i64
%t273 = arith.muli %t63, %t272 : i64
%t274 = llvm.getelementptr %arg2[%t273] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t275 = llvm.load %t274 {alignment = 4 : i64} : !llvm.ptr -> f32
%t276 = arith.addf %r75#11, %t275 : f32
%t277 = arith.constant 1536 : i64
%t278 = arith.muli %t40, %t277 : i64
%t279 = llvm.getelementptr %arg3[%t278] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t280 = arith.constant 4 : i64
%t281 = arith.muli %t63, %t280 : i64
%t282 = llvm.getelementptr %t279[%t281] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t276, %t282 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t283 = arith.andi %t43, %t50 : i1
scf.if %t283 {
%t284 = arith.constant 4 : i64
%t285 = arith.muli %t51, %t284 : i64
%t286 = llvm.getelementptr %arg2[%t285] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t287 = llvm.load %t286 {alignment = 4 : i64} : !llvm.ptr -> f32
%t288 = arith.addf %r75#12, %t287 : f32
%t289 = arith.constant 1536 : i64
%t290 = arith.muli %t44, %t289 : i64
%t291 = llvm.getelementptr %arg3[%t290] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t292 = arith.constant 4 : i64
%t293 = arith.muli %t51, %t292 : i64
%t294 = llvm.getelementptr %t291[%t293] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t288, %t294 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t295 = arith.andi %t43, %t54 : i1
scf.if %t295 {
%t296 = arith.constant 4 : i64
%t297 = arith.muli %t55, %t296 : i64
%t298 = llvm.getelementptr %arg2[%t297] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t299 = llvm.load %t298 {alignment = 4 : i64} : !llvm.ptr -> f32
%t300 = arith.addf %r75#13, %t299 : f32
%t301 = arith.constant 1536 : i64
%t302 = arith.muli %t44, %t301 : i64
%t303 = llvm.getelementptr %arg3[%t302] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t304 = arith.constant 4 : i64
%t305 = arith.muli %t55, %t304 : i64
%t306 = llvm.getelementptr %t303[%t305] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t300, %t306 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t307 = arith.andi %t43, %t58 : i1
scf.if %t307 {
%t308 = arith.constant 4 : i64
%t309 = arith.muli %t59, %t308 : i64
%t310 = llvm.getelementptr %arg2[%t309] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t311 = llvm.load %t310 {alignment = 4 : i64} : !llvm.ptr -> f32
%t312 = arith.addf %r75#14, %t311 : f32
%t313 = arith.constant 1536 : i64
%t314 = arith.muli %t44, %t313 : i64
%t315 = llvm.getelementptr %arg3[%t314] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t316 = arith.constant 4 : i64
%t317 = arith.muli %t59, %t316 : i64
%t318 = llvm.getelementptr %t315[%t317] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t312, %t318 {alignment = 4 : i64} : f32, !llvm.ptr
}
%t319 = arith.andi %t43, %t62 : i1
scf.if %t319 {
%t320 = arith.constant 4 : i64
%t321 = arith.muli %t63, %t320 : i64
%t322 = llvm.getelementptr %arg2[%t321] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t323 = llvm.load %t322 {alignment = 4 : i64} : !llvm.ptr -> f32
%t324 = arith.addf %r75#15, %t323 : f32
%t325 = arith.constant 1536 : i64
%t326 = arith.muli %t44, %t325 : i64
%t327 = llvm.getelementptr %arg3[%t326] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t328 = arith.constant 4 : i64
%t329 = arith.muli %t63, %t328 : i64
%t330 = llvm.getelementptr %t327[%t329] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t324, %t330 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
}
llvm.return
}
