// norm: teams rows, vector None, 1 warps, 4 lanes of 32 threads
llvm.mlir.global external @scratch() {addr_space = 3 : i32, alignment = 64 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr, %arg3: !llvm.ptr, %arg4: !llvm.ptr, %arg5: !llvm.ptr, %ext0: i64, %tiles: i64) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
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
%t0 = arith.constant 65 : i64
%t1 = arith.constant 128 : i64
%t2 = arith.constant 0 : i64
%t3 = arith.constant 1 : i64
%t4 = arith.addi %ext0, %t2 : i64
%t5 = arith.divui %t4, %t3 : i64
%t6 = arith.constant 3 : i64
%t7 = arith.constant 4 : i64
%t8 = arith.addi %t0, %t6 : i64
%t9 = arith.divui %t8, %t7 : i64
%t10 = arith.constant 1 : i64
scf.for %v20 = %tile_begin to %tile_end step %t10 : i64 {
%t11 = arith.remui %v20, %t9 : i64
%t12 = arith.divui %v20, %t9 : i64
%t13 = arith.constant 4 : i64
%t14 = arith.muli %t11, %t13 : i64
%t15 = arith.constant 4 : i64
%t16 = arith.addi %t14, %t15 : i64
%t17 = arith.minsi %t16, %t0 : i64
%t18 = arith.constant 1 : i64
%t19 = arith.muli %t12, %t18 : i64
%t20 = arith.constant 1 : i64
%t21 = arith.addi %t19, %t20 : i64
%t22 = arith.minsi %t21, %ext0 : i64
%t23 = arith.constant 1 : i64
scf.for %v33 = %t19 to %t22 step %t23 : i64 {
%t24 = arith.constant 1 : i64
scf.for %v34 = %t14 to %t17 step %t24 : i64 {
%t25 = arith.constant dense<0x00000000> : vector<4xf32>
%t26 = arith.constant 0 : i64
%t27 = arith.constant 4 : i64
%t28 = arith.muli %member, %t27 : i64
%t29 = arith.addi %t26, %t28 : i64
%t30 = arith.constant 128 : i64
%r41:1 = scf.for %v41 = %t29 to %t1 step %t30 iter_args(%v42 = %t25) -> (vector<4xf32>) : i64 {
%t31 = arith.constant 33280 : i64
%t32 = arith.muli %v33, %t31 : i64
%t33 = llvm.getelementptr %arg0[%t32] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t34 = arith.constant 512 : i64
%t35 = arith.muli %v34, %t34 : i64
%t36 = llvm.getelementptr %t33[%t35] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t37 = arith.constant 4 : i64
%t38 = arith.muli %v41, %t37 : i64
%t39 = llvm.getelementptr %t36[%t38] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t40 = llvm.load %t39 {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
%t41 = arith.addf %v42, %t40 : vector<4xf32>
scf.yield %t41 : vector<4xf32>
}
%t42 = vector.shuffle %r41#0, %r41#0 [0, 1] : vector<4xf32>, vector<4xf32>
%t43 = vector.shuffle %r41#0, %r41#0 [2, 3] : vector<4xf32>, vector<4xf32>
%t44 = arith.addf %t42, %t43 : vector<2xf32>
%t45 = vector.extract %t44[0] : f32 from vector<2xf32>
%t46 = vector.extract %t44[1] : f32 from vector<2xf32>
%t47 = arith.addf %t45, %t46 : f32
%t48 = arith.constant 16 : i32
%t49 = nvvm.shfl.sync bfly %everyone, %t47, %t48, %clamp : f32 -> f32
%t50 = arith.addf %t47, %t49 : f32
%t51 = arith.constant 8 : i32
%t52 = nvvm.shfl.sync bfly %everyone, %t50, %t51, %clamp : f32 -> f32
%t53 = arith.addf %t50, %t52 : f32
%t54 = arith.constant 4 : i32
%t55 = nvvm.shfl.sync bfly %everyone, %t53, %t54, %clamp : f32 -> f32
%t56 = arith.addf %t53, %t55 : f32
%t57 = arith.constant 2 : i32
%t58 = nvvm.shfl.sync bfly %everyone, %t56, %t57, %clamp : f32 -> f32
%t59 = arith.addf %t56, %t58 : f32
%t60 = arith.constant 1 : i32
%t61 = nvvm.shfl.sync bfly %everyone, %t59, %t60, %clamp : f32 -> f32
%t62 = arith.addf %t59, %t61 : f32
%t63 = arith.constant dense<0x00000000> : vector<4xf32>
%t64 = arith.constant 0x3C000000 : f32
%t65 = arith.mulf %t62, %t64 : f32
%t66 = arith.constant 0 : i64
%t67 = arith.constant 4 : i64
%t68 = arith.muli %member, %t67 : i64
%t69 = arith.addi %t66, %t68 : i64
%t70 = arith.constant 128 : i64
%r65:1 = scf.for %v65 = %t69 to %t1 step %t70 iter_args(%v66 = %t63) -> (vector<4xf32>) : i64 {
%t71 = arith.constant 33280 : i64
%t72 = arith.muli %v33, %t71 : i64
%t73 = llvm.getelementptr %arg0[%t72] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t74 = arith.constant 512 : i64
%t75 = arith.muli %v34, %t74 : i64
%t76 = llvm.getelementptr %t73[%t75] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t77 = arith.constant 4 : i64
%t78 = arith.muli %v65, %t77 : i64
%t79 = llvm.getelementptr %t76[%t78] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t80 = llvm.load %t79 {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
%t81 = vector.broadcast %t65 : f32 to vector<4xf32>
%t82 = arith.subf %t80, %t81 : vector<4xf32>
%t83 = math.fma %t82, %t82, %v66 : vector<4xf32>
scf.yield %t83 : vector<4xf32>
}
%t84 = vector.shuffle %r65#0, %r65#0 [0, 1] : vector<4xf32>, vector<4xf32>
%t85 = vector.shuffle %r65#0, %r65#0 [2, 3] : vector<4xf32>, vector<4xf32>
%t86 = arith.addf %t84, %t85 : vector<2xf32>
%t87 = vector.extract %t86[0] : f32 from vector<2xf32>
%t88 = vector.extract %t86[1] : f32 from vector<2xf32>
%t89 = arith.addf %t87, %t88 : f32
%t90 = arith.constant 16 : i32
%t91 = nvvm.shfl.sync bfly %everyone, %t89, %t90, %clamp : f32 -> f32
%t92 = arith.addf %t89, %t91 : f32
%t93 = arith.constant 8 : i32
%t94 = nvvm.shfl.sync bfly %everyone, %t92, %t93, %clamp : f32 -> f32
%t95 = arith.addf %t92, %t94 : f32
%t96 = arith.constant 4 : i32
%t97 = nvvm.shfl.sync bfly %everyone, %t95, %t96, %clamp : f32 -> f32
%t98 = arith.addf %t95, %t97 : f32
%t99 = arith.constant 2 : i32
%t100 = nvvm.shfl.sync bfly %everyone, %t98, %t99, %clamp : f32 -> f32
%t101 = arith.addf %t98, %t100 : f32
%t102 = arith.constant 1 : i32
%t103 = nvvm.shfl.sync bfly %everyone, %t101, %t102, %clamp : f32 -> f32
%t104 = arith.addf %t101, %t103 : f32
%t105 = arith.constant 0x3C000000 : f32
%t106 = arith.mulf %t62, %t105 : f32
%t107 = arith.constant 0x3C000000 : f32
%t108 = arith.mulf %t104, %t107 : f32
%t109 = arith.constant 0x3727C5AC : f32
%t110 = arith.addf %t108, %t109 : f32
%t111 = math.sqrt %t110 : f32
%t112 = arith.constant 0x3F800000 : f32
%t113 = arith.divf %t112, %t111 : f32
%t114 = arith.constant 0 : i64
%t115 = arith.constant 4 : i64
%t116 = arith.muli %member, %t115 : i64
%t117 = arith.addi %t114, %t116 : i64
%t118 = arith.constant 128 : i64
scf.for %v97 = %t117 to %t1 step %t118 : i64 {
%t119 = arith.constant 33280 : i64
%t120 = arith.muli %v33, %t119 : i64
%t121 = llvm.getelementptr %arg0[%t120] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t122 = arith.constant 512 : i64
%t123 = arith.muli %v34, %t122 : i64
%t124 = llvm.getelementptr %t121[%t123] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t125 = arith.constant 4 : i64
%t126 = arith.muli %v97, %t125 : i64
%t127 = llvm.getelementptr %t124[%t126] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t128 = llvm.load %t127 {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
%t129 = vector.broadcast %t106 : f32 to vector<4xf32>
%t130 = arith.subf %t128, %t129 : vector<4xf32>
%t131 = vector.broadcast %t113 : f32 to vector<4xf32>
%t132 = arith.mulf %t130, %t131 : vector<4xf32>
%t133 = arith.constant 4 : i64
%t134 = arith.muli %v97, %t133 : i64
%t135 = llvm.getelementptr %arg1[%t134] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t136 = llvm.load %t135 {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
%t137 = arith.mulf %t132, %t136 : vector<4xf32>
%t138 = arith.constant 4 : i64
%t139 = arith.muli %v97, %t138 : i64
%t140 = llvm.getelementptr %arg2[%t139] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t141 = llvm.load %t140 {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
%t142 = arith.addf %t137, %t141 : vector<4xf32>
%t143 = arith.constant 33280 : i64
%t144 = arith.muli %v33, %t143 : i64
%t145 = llvm.getelementptr %arg3[%t144] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t146 = arith.constant 512 : i64
%t147 = arith.muli %v34, %t146 : i64
%t148 = llvm.getelementptr %t145[%t147] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t149 = arith.constant 4 : i64
%t150 = arith.muli %v97, %t149 : i64
%t151 = llvm.getelementptr %t148[%t150] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t142, %t151 {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr
}
nvvm.bar.warp.sync %everyone : i32
%t152 = arith.constant 0 : i64
%t153 = arith.cmpi eq, %member, %t152 : i64
scf.if %t153 {
%t154 = arith.constant 0x3C000000 : f32
%t155 = arith.mulf %t62, %t154 : f32
%t156 = arith.constant 0x3C000000 : f32
%t157 = arith.mulf %t104, %t156 : f32
%t158 = arith.constant 0x3727C5AC : f32
%t159 = arith.addf %t157, %t158 : f32
%t160 = math.sqrt %t159 : f32
%t161 = arith.constant 0x3F800000 : f32
%t162 = arith.divf %t161, %t160 : f32
%t163 = arith.constant 260 : i64
%t164 = arith.muli %v33, %t163 : i64
%t165 = llvm.getelementptr %arg4[%t164] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t166 = arith.constant 4 : i64
%t167 = arith.muli %v34, %t166 : i64
%t168 = llvm.getelementptr %t165[%t167] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t155, %t168 {alignment = 4 : i64} : f32, !llvm.ptr
%t169 = arith.constant 260 : i64
%t170 = arith.muli %v33, %t169 : i64
%t171 = llvm.getelementptr %arg5[%t170] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t172 = arith.constant 4 : i64
%t173 = arith.muli %v34, %t172 : i64
%t174 = llvm.getelementptr %t171[%t173] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t162, %t174 {alignment = 4 : i64} : f32, !llvm.ptr
}
nvvm.bar.warp.sync %everyone : i32
}
}
}
}
llvm.return
}
