"""What writes LLVM IR: from whole numbers and vectors to register tiles, levels and products."""
