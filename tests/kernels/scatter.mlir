// scatter: teams rows, vector Some(1), 32 warps, 1 lanes of 8 threads, scattered by 128
llvm.mlir.global internal @partials() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<32 x f32> {
%u = llvm.mlir.poison : !llvm.array<32 x f32>
llvm.return %u : !llvm.array<32 x f32>
}
llvm.mlir.global external @scratch() {addr_space = 3 : i32, alignment = 64 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr, %ext0: i64, %tiles: i64) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 1024>} {
%everyone = arith.constant -1 : i32
%clamp = arith.constant 31 : i32
%thread32 = nvvm.read.ptx.sreg.tid.x : i32
%block32 = nvvm.read.ptx.sreg.ctaid.x : i32
%thread = arith.extui %thread32 : i32 to i64
%block = arith.extui %block32 : i32 to i64
%teamsize = arith.constant 1024 : i64
%teams = arith.constant 1 : i64
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
%t0 = arith.constant 128 : i64
%t1 = arith.constant 8 : i64
%t2 = arith.divui %member, %t1 : i64
%t3 = arith.remui %member, %t1 : i64
%t4 = arith.constant 7 : i64
%t5 = arith.constant 8 : i64
%t6 = arith.addi %t0, %t4 : i64
%t7 = arith.divui %t6, %t5 : i64
%t8 = arith.constant 1 : i64
scf.for %v16 = %tile_begin to %tile_end step %t8 : i64 {
%t9 = arith.constant 8 : i64
%t10 = arith.muli %v16, %t9 : i64
%t11 = arith.constant 8 : i64
%t12 = arith.addi %t10, %t11 : i64
%t13 = arith.minsi %t12, %t0 : i64
%t14 = arith.constant 1 : i64
%t15 = arith.muli %t3, %t14 : i64
%t16 = arith.addi %t10, %t15 : i64
%t17 = arith.constant 8 : i64
scf.for %v25 = %t16 to %t13 step %t17 : i64 {
%t18 = arith.constant 0 : i64
%t19 = arith.constant 1 : i64
%t20 = arith.muli %t19, %ext0 : i64
%t21 = arith.constant -3 : i64
%t22 = arith.addi %t20, %t21 : i64
%t23 = arith.constant 4 : i64
scf.for %v31 = %t18 to %t22 step %t23 : i64 {
%t24 = arith.constant 1 : i64
%t25 = arith.addi %v31, %t24 : i64
%t26 = arith.constant 2 : i64
%t27 = arith.addi %v31, %t26 : i64
%t28 = arith.constant 3 : i64
%t29 = arith.addi %v31, %t28 : i64
%t30 = arith.constant 4 : i64
%t31 = arith.muli %v31, %t30 : i64
%t32 = llvm.getelementptr %arg0[%t31] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t33 = llvm.load %t32 {alignment = 4 : i64} : !llvm.ptr -> i32
%t34 = arith.extsi %t33 : i32 to i64
%t35 = arith.constant 4 : i64
%t36 = arith.muli %t25, %t35 : i64
%t37 = llvm.getelementptr %arg0[%t36] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t38 = llvm.load %t37 {alignment = 4 : i64} : !llvm.ptr -> i32
%t39 = arith.extsi %t38 : i32 to i64
%t40 = arith.constant 4 : i64
%t41 = arith.muli %t27, %t40 : i64
%t42 = llvm.getelementptr %arg0[%t41] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t43 = llvm.load %t42 {alignment = 4 : i64} : !llvm.ptr -> i32
%t44 = arith.extsi %t43 : i32 to i64
%t45 = arith.constant 4 : i64
%t46 = arith.muli %t29, %t45 : i64
%t47 = llvm.getelementptr %arg0[%t46] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t48 = llvm.load %t47 {alignment = 4 : i64} : !llvm.ptr -> i32
%t49 = arith.extsi %t48 : i32 to i64
%t50 = arith.constant 128 : i64
%t51 = arith.remui %t34, %t50 : i64
%t52 = arith.cmpi eq, %t51, %t2 : i64
scf.if %t52 {
%t53 = arith.constant 4 : i64
%t54 = arith.muli %v31, %t53 : i64
%t55 = llvm.getelementptr %arg0[%t54] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t56 = llvm.load %t55 {alignment = 4 : i64} : !llvm.ptr -> i32
%t57 = arith.extsi %t56 : i32 to i64
%t58 = arith.constant 0 : i64
%t59 = arith.cmpi sle, %t58, %t57 : i64
%t60 = arith.constant 0 : i64
%t61 = arith.constant 4 : i64
%t62 = arith.muli %v25, %t61 : i64
%t63 = arith.addi %t60, %t62 : i64
%t64 = arith.constant 512 : i64
%t65 = arith.muli %t57, %t64 : i64
%t66 = arith.addi %t63, %t65 : i64
%t67 = arith.constant 0 : i64
%t68 = arith.select %t59, %t66, %t67 : i64
%t69 = llvm.getelementptr %arg2[%t68] : (!llvm.ptr, i64) -> !llvm.ptr, i8
scf.if %t59 {
%t70 = arith.constant 4 : i64
%t71 = arith.muli %v25, %t70 : i64
%t72 = llvm.getelementptr %arg1[%t71] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t73 = arith.constant 512 : i64
%t74 = arith.muli %v31, %t73 : i64
%t75 = llvm.getelementptr %t72[%t74] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t76 = llvm.load %t75 {alignment = 4 : i64} : !llvm.ptr -> f32
%t77 = llvm.load %t69 {alignment = 4 : i64} : !llvm.ptr -> f32
%t78 = arith.addf %t77, %t76 : f32
llvm.store %t78, %t69 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
%t79 = arith.constant 128 : i64
%t80 = arith.remui %t39, %t79 : i64
%t81 = arith.cmpi eq, %t80, %t2 : i64
scf.if %t81 {
%t82 = arith.constant 4 : i64
%t83 = arith.muli %t25, %t82 : i64
%t84 = llvm.getelementptr %arg0[%t83] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t85 = llvm.load %t84 {alignment = 4 : i64} : !llvm.ptr -> i32
%t86 = arith.extsi %t85 : i32 to i64
%t87 = arith.constant 0 : i64
%t88 = arith.cmpi sle, %t87, %t86 : i64
%t89 = arith.constant 0 : i64
%t90 = arith.constant 4 : i64
%t91 = arith.muli %v25, %t90 : i64
%t92 = arith.addi %t89, %t91 : i64
%t93 = arith.constant 512 : i64
%t94 = arith.muli %t86, %t93 : i64
%t95 = arith.addi %t92, %t94 : i64
%t96 = arith.constant 0 : i64
%t97 = arith.select %t88, %t95, %t96 : i64
%t98 = llvm.getelementptr %arg2[%t97] : (!llvm.ptr, i64) -> !llvm.ptr, i8
scf.if %t88 {
%t99 = arith.constant 4 : i64
%t100 = arith.muli %v25, %t99 : i64
%t101 = llvm.getelementptr %arg1[%t100] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t102 = arith.constant 512 : i64
%t103 = arith.muli %t25, %t102 : i64
%t104 = llvm.getelementptr %t101[%t103] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t105 = llvm.load %t104 {alignment = 4 : i64} : !llvm.ptr -> f32
%t106 = llvm.load %t98 {alignment = 4 : i64} : !llvm.ptr -> f32
%t107 = arith.addf %t106, %t105 : f32
llvm.store %t107, %t98 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
%t108 = arith.constant 128 : i64
%t109 = arith.remui %t44, %t108 : i64
%t110 = arith.cmpi eq, %t109, %t2 : i64
scf.if %t110 {
%t111 = arith.constant 4 : i64
%t112 = arith.muli %t27, %t111 : i64
%t113 = llvm.getelementptr %arg0[%t112] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t114 = llvm.load %t113 {alignment = 4 : i64} : !llvm.ptr -> i32
%t115 = arith.extsi %t114 : i32 to i64
%t116 = arith.constant 0 : i64
%t117 = arith.cmpi sle, %t116, %t115 : i64
%t118 = arith.constant 0 : i64
%t119 = arith.constant 4 : i64
%t120 = arith.muli %v25, %t119 : i64
%t121 = arith.addi %t118, %t120 : i64
%t122 = arith.constant 512 : i64
%t123 = arith.muli %t115, %t122 : i64
%t124 = arith.addi %t121, %t123 : i64
%t125 = arith.constant 0 : i64
%t126 = arith.select %t117, %t124, %t125 : i64
%t127 = llvm.getelementptr %arg2[%t126] : (!llvm.ptr, i64) -> !llvm.ptr, i8
scf.if %t117 {
%t128 = arith.constant 4 : i64
%t129 = arith.muli %v25, %t128 : i64
%t130 = llvm.getelementptr %arg1[%t129] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t131 = arith.constant 512 : i64
%t132 = arith.muli %t27, %t131 : i64
%t133 = llvm.getelementptr %t130[%t132] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t134 = llvm.load %t133 {alignment = 4 : i64} : !llvm.ptr -> f32
%t135 = llvm.load %t127 {alignment = 4 : i64} : !llvm.ptr -> f32
%t136 = arith.addf %t135, %t134 : f32
llvm.store %t136, %t127 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
%t137 = arith.constant 128 : i64
%t138 = arith.remui %t49, %t137 : i64
%t139 = arith.cmpi eq, %t138, %t2 : i64
scf.if %t139 {
%t140 = arith.constant 4 : i64
%t141 = arith.muli %t29, %t140 : i64
%t142 = llvm.getelementptr %arg0[%t141] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t143 = llvm.load %t142 {alignment = 4 : i64} : !llvm.ptr -> i32
%t144 = arith.extsi %t143 : i32 to i64
%t145 = arith.constant 0 : i64
%t146 = arith.cmpi sle, %t145, %t144 : i64
%t147 = arith.constant 0 : i64
%t148 = arith.constant 4 : i64
%t149 = arith.muli %v25, %t148 : i64
%t150 = arith.addi %t147, %t149 : i64
%t151 = arith.constant 512 : i64
%t152 = arith.muli %t144, %t151 : i64
%t153 = arith.addi %t150, %t152 : i64
%t154 = arith.constant 0 : i64
%t155 = arith.select %t146, %t153, %t154 : i64
%t156 = llvm.getelementptr %arg2[%t155] : (!llvm.ptr, i64) -> !llvm.ptr, i8
scf.if %t146 {
%t157 = arith.constant 4 : i64
%t158 = arith.muli %v25, %t157 : i64
%t159 = llvm.getelementptr %arg1[%t158] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t160 = arith.constant 512 : i64
%t161 = arith.muli %t29, %t160 : i64
%t162 = llvm.getelementptr %t159[%t161] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t163 = llvm.load %t162 {alignment = 4 : i64} : !llvm.ptr -> f32
%t164 = llvm.load %t156 {alignment = 4 : i64} : !llvm.ptr -> f32
%t165 = arith.addf %t164, %t163 : f32
llvm.store %t165, %t156 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
}
%t166 = arith.constant 0 : i64
%t167 = arith.subi %t22, %t18 : i64
%t168 = arith.maxsi %t167, %t166 : i64
%t169 = arith.constant 3 : i64
%t170 = arith.addi %t168, %t169 : i64
%t171 = arith.constant 4 : i64
%t172 = arith.divui %t170, %t171 : i64
%t173 = arith.constant 4 : i64
%t174 = arith.muli %t172, %t173 : i64
%t175 = arith.addi %t18, %t174 : i64
%t176 = arith.constant 1 : i64
scf.for %v176 = %t175 to %t20 step %t176 : i64 {
%t177 = arith.constant 4 : i64
%t178 = arith.muli %v176, %t177 : i64
%t179 = llvm.getelementptr %arg0[%t178] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t180 = llvm.load %t179 {alignment = 4 : i64} : !llvm.ptr -> i32
%t181 = arith.extsi %t180 : i32 to i64
%t182 = arith.constant 128 : i64
%t183 = arith.remui %t181, %t182 : i64
%t184 = arith.cmpi eq, %t183, %t2 : i64
scf.if %t184 {
%t185 = arith.constant 4 : i64
%t186 = arith.muli %v176, %t185 : i64
%t187 = llvm.getelementptr %arg0[%t186] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t188 = llvm.load %t187 {alignment = 4 : i64} : !llvm.ptr -> i32
%t189 = arith.extsi %t188 : i32 to i64
%t190 = arith.constant 0 : i64
%t191 = arith.cmpi sle, %t190, %t189 : i64
%t192 = arith.constant 0 : i64
%t193 = arith.constant 4 : i64
%t194 = arith.muli %v25, %t193 : i64
%t195 = arith.addi %t192, %t194 : i64
%t196 = arith.constant 512 : i64
%t197 = arith.muli %t189, %t196 : i64
%t198 = arith.addi %t195, %t197 : i64
%t199 = arith.constant 0 : i64
%t200 = arith.select %t191, %t198, %t199 : i64
%t201 = llvm.getelementptr %arg2[%t200] : (!llvm.ptr, i64) -> !llvm.ptr, i8
scf.if %t191 {
%t202 = arith.constant 4 : i64
%t203 = arith.muli %v25, %t202 : i64
%t204 = llvm.getelementptr %arg1[%t203] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t205 = arith.constant 512 : i64
%t206 = arith.muli %v176, %t205 : i64
%t207 = llvm.getelementptr %t204[%t206] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t208 = llvm.load %t207 {alignment = 4 : i64} : !llvm.ptr -> f32
%t209 = llvm.load %t201 {alignment = 4 : i64} : !llvm.ptr -> f32
%t210 = arith.addf %t209, %t208 : f32
llvm.store %t210, %t201 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
}
}
}
}
llvm.return
}
