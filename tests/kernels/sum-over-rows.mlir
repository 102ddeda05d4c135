// reduce+add: teams rows, vector Some(0), 32 warps, 1 lanes of 8 threads, folded by 128
llvm.mlir.global internal @partials() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<32 x f32> {
%u = llvm.mlir.poison : !llvm.array<32 x f32>
llvm.return %u : !llvm.array<32 x f32>
}
llvm.mlir.global external @scratch() {addr_space = 3 : i32, alignment = 64 : i64} : !llvm.array<0 x i8>
llvm.func @kernel(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %ext0: i64, %tiles: i64) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 1024>} {
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
%bytes = arith.constant 4096 : i64
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
scf.for %v15 = %tile_begin to %tile_end step %t8 : i64 {
%t9 = arith.constant 8 : i64
%t10 = arith.muli %v15, %t9 : i64
%t11 = arith.constant 8 : i64
%t12 = arith.addi %t10, %t11 : i64
%t13 = arith.minsi %t12, %t0 : i64
%t14 = arith.constant 1 : i64
%t15 = arith.muli %t3, %t14 : i64
%t16 = arith.addi %t10, %t15 : i64
%t17 = arith.cmpi slt, %t16, %t13 : i64
%t18 = arith.constant -1 : i64
%t19 = arith.addi %t13, %t18 : i64
%t20 = arith.minsi %t16, %t19 : i64
%t21 = arith.constant 0 : i64
%t22 = arith.cmpi eq, %t2, %t21 : i64
%t23 = arith.andi %t17, %t22 : i1
%t24 = arith.constant 0 : i64
%t25 = llvm.getelementptr %scratch[%t24] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t26 = arith.constant 4 : i64
%t27 = arith.muli %t3, %t26 : i64
%t28 = llvm.getelementptr %t25[%t27] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t29 = arith.constant 32 : i64
%t30 = arith.muli %t2, %t29 : i64
%t31 = llvm.getelementptr %t28[%t30] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t32 = arith.constant 0x00000000 : f32
%t33 = arith.constant 1 : i64
%t34 = arith.muli %t33, %ext0 : i64
%t35 = arith.constant -384 : i64
%t36 = arith.addi %t34, %t35 : i64
%t37 = arith.constant 512 : i64
%r44:4 = scf.for %v44 = %t2 to %t36 step %t37 iter_args(%v45 = %t32, %v46 = %t32, %v47 = %t32, %v48 = %t32) -> (f32, f32, f32, f32) : i64 {
%t38 = arith.constant 128 : i64
%t39 = arith.addi %v44, %t38 : i64
%t40 = arith.constant 256 : i64
%t41 = arith.addi %v44, %t40 : i64
%t42 = arith.constant 384 : i64
%t43 = arith.addi %v44, %t42 : i64
%t44 = arith.constant 4 : i64
%t45 = arith.muli %t20, %t44 : i64
%t46 = llvm.getelementptr %arg0[%t45] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t47 = arith.constant 512 : i64
%t48 = arith.muli %v44, %t47 : i64
%t49 = llvm.getelementptr %t46[%t48] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t50 = llvm.load %t49 {alignment = 4 : i64} : !llvm.ptr -> f32
%t51 = arith.addf %v45, %t50 : f32
%t52 = arith.constant 4 : i64
%t53 = arith.muli %t20, %t52 : i64
%t54 = llvm.getelementptr %arg0[%t53] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t55 = arith.constant 512 : i64
%t56 = arith.muli %t39, %t55 : i64
%t57 = llvm.getelementptr %t54[%t56] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t58 = llvm.load %t57 {alignment = 4 : i64} : !llvm.ptr -> f32
%t59 = arith.addf %v46, %t58 : f32
%t60 = arith.constant 4 : i64
%t61 = arith.muli %t20, %t60 : i64
%t62 = llvm.getelementptr %arg0[%t61] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t63 = arith.constant 512 : i64
%t64 = arith.muli %t41, %t63 : i64
%t65 = llvm.getelementptr %t62[%t64] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t66 = llvm.load %t65 {alignment = 4 : i64} : !llvm.ptr -> f32
%t67 = arith.addf %v47, %t66 : f32
%t68 = arith.constant 4 : i64
%t69 = arith.muli %t20, %t68 : i64
%t70 = llvm.getelementptr %arg0[%t69] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t71 = arith.constant 512 : i64
%t72 = arith.muli %t43, %t71 : i64
%t73 = llvm.getelementptr %t70[%t72] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t74 = llvm.load %t73 {alignment = 4 : i64} : !llvm.ptr -> f32
%t75 = arith.addf %v48, %t74 : f32
scf.yield %t51, %t59, %t67, %t75 : f32, f32, f32, f32
}
%t76 = arith.constant 0 : i64
%t77 = arith.subi %t36, %t2 : i64
%t78 = arith.maxsi %t77, %t76 : i64
%t79 = arith.constant 511 : i64
%t80 = arith.addi %t78, %t79 : i64
%t81 = arith.constant 512 : i64
%t82 = arith.divui %t80, %t81 : i64
%t83 = arith.constant 512 : i64
%t84 = arith.muli %t82, %t83 : i64
%t85 = arith.addi %t2, %t84 : i64
%t86 = arith.constant 128 : i64
%r101:1 = scf.for %v101 = %t85 to %t34 step %t86 iter_args(%v102 = %r44#0) -> (f32) : i64 {
%t87 = arith.constant 4 : i64
%t88 = arith.muli %t20, %t87 : i64
%t89 = llvm.getelementptr %arg0[%t88] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t90 = arith.constant 512 : i64
%t91 = arith.muli %v101, %t90 : i64
%t92 = llvm.getelementptr %t89[%t91] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t93 = llvm.load %t92 {alignment = 4 : i64} : !llvm.ptr -> f32
%t94 = arith.addf %v102, %t93 : f32
scf.yield %t94 : f32
}
%t95 = arith.addf %r101#0, %r44#1 : f32
%t96 = arith.addf %r44#2, %r44#3 : f32
%t97 = arith.addf %t95, %t96 : f32
nvvm.barrier0
llvm.store %t97, %t31 {alignment = 4 : i64} : f32, !llvm.ptr
nvvm.barrier0
%t98 = arith.constant 64 : i64
%t99 = arith.cmpi slt, %t2, %t98 : i64
scf.if %t99 {
%t100 = llvm.load %t31 {alignment = 4 : i64} : !llvm.ptr -> f32
%t101 = llvm.getelementptr %t31[2048] : (!llvm.ptr) -> !llvm.ptr, i8
%t102 = llvm.load %t101 {alignment = 4 : i64} : !llvm.ptr -> f32
%t103 = arith.addf %t100, %t102 : f32
llvm.store %t103, %t31 {alignment = 4 : i64} : f32, !llvm.ptr
}
nvvm.barrier0
%t104 = arith.constant 32 : i64
%t105 = arith.cmpi slt, %t2, %t104 : i64
scf.if %t105 {
%t106 = llvm.load %t31 {alignment = 4 : i64} : !llvm.ptr -> f32
%t107 = llvm.getelementptr %t31[1024] : (!llvm.ptr) -> !llvm.ptr, i8
%t108 = llvm.load %t107 {alignment = 4 : i64} : !llvm.ptr -> f32
%t109 = arith.addf %t106, %t108 : f32
llvm.store %t109, %t31 {alignment = 4 : i64} : f32, !llvm.ptr
}
nvvm.barrier0
%t110 = arith.constant 16 : i64
%t111 = arith.cmpi slt, %t2, %t110 : i64
scf.if %t111 {
%t112 = llvm.load %t31 {alignment = 4 : i64} : !llvm.ptr -> f32
%t113 = llvm.getelementptr %t31[512] : (!llvm.ptr) -> !llvm.ptr, i8
%t114 = llvm.load %t113 {alignment = 4 : i64} : !llvm.ptr -> f32
%t115 = arith.addf %t112, %t114 : f32
llvm.store %t115, %t31 {alignment = 4 : i64} : f32, !llvm.ptr
}
nvvm.barrier0
%t116 = arith.constant 8 : i64
%t117 = arith.cmpi slt, %t2, %t116 : i64
scf.if %t117 {
%t118 = llvm.load %t31 {alignment = 4 : i64} : !llvm.ptr -> f32
%t119 = llvm.getelementptr %t31[256] : (!llvm.ptr) -> !llvm.ptr, i8
%t120 = llvm.load %t119 {alignment = 4 : i64} : !llvm.ptr -> f32
%t121 = arith.addf %t118, %t120 : f32
llvm.store %t121, %t31 {alignment = 4 : i64} : f32, !llvm.ptr
}
nvvm.barrier0
%t122 = arith.constant 4 : i64
%t123 = arith.cmpi slt, %t2, %t122 : i64
scf.if %t123 {
%t124 = llvm.load %t31 {alignment = 4 : i64} : !llvm.ptr -> f32
%t125 = llvm.getelementptr %t31[128] : (!llvm.ptr) -> !llvm.ptr, i8
%t126 = llvm.load %t125 {alignment = 4 : i64} : !llvm.ptr -> f32
%t127 = arith.addf %t124, %t126 : f32
llvm.store %t127, %t31 {alignment = 4 : i64} : f32, !llvm.ptr
}
nvvm.barrier0
%t128 = arith.constant 2 : i64
%t129 = arith.cmpi slt, %t2, %t128 : i64
scf.if %t129 {
%t130 = llvm.load %t31 {alignment = 4 : i64} : !llvm.ptr -> f32
%t131 = llvm.getelementptr %t31[64] : (!llvm.ptr) -> !llvm.ptr, i8
%t132 = llvm.load %t131 {alignment = 4 : i64} : !llvm.ptr -> f32
%t133 = arith.addf %t130, %t132 : f32
llvm.store %t133, %t31 {alignment = 4 : i64} : f32, !llvm.ptr
}
nvvm.barrier0
%t134 = arith.constant 1 : i64
%t135 = arith.cmpi slt, %t2, %t134 : i64
scf.if %t135 {
%t136 = llvm.load %t31 {alignment = 4 : i64} : !llvm.ptr -> f32
%t137 = llvm.getelementptr %t31[32] : (!llvm.ptr) -> !llvm.ptr, i8
%t138 = llvm.load %t137 {alignment = 4 : i64} : !llvm.ptr -> f32
%t139 = arith.addf %t136, %t138 : f32
llvm.store %t139, %t31 {alignment = 4 : i64} : f32, !llvm.ptr
}
nvvm.barrier0
%t140 = llvm.load %t28 {alignment = 4 : i64} : !llvm.ptr -> f32
scf.if %t23 {
%t141 = arith.constant 4 : i64
%t142 = arith.muli %t20, %t141 : i64
%t143 = llvm.getelementptr %arg1[%t142] : (!llvm.ptr, i64) -> !llvm.ptr, i8
%t144 = llvm.load %t143 {alignment = 4 : i64} : !llvm.ptr -> f32
%t145 = arith.addf %t144, %t140 : f32
%t146 = arith.constant 4 : i64
%t147 = arith.muli %t20, %t146 : i64
%t148 = llvm.getelementptr %arg1[%t147] : (!llvm.ptr, i64) -> !llvm.ptr, i8
llvm.store %t145, %t148 {alignment = 4 : i64} : f32, !llvm.ptr
}
}
}
llvm.return
}
