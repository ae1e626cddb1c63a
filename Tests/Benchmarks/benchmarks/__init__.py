"""Rally against llama.cpp, onnxruntime and PyTorch, in turns, on this machine."""
