// A program that imports Rally sees the types that its API speaks of: errors, descriptions, selection,
// tokenizers, sampling parameters.
@_exported public import Curation
@_exported public import Engine
@_exported public import Execution
@_exported public import Files
@_exported public import Kernels
@_exported public import Lineage
@_exported public import Models
@_exported public import Tensors
@_exported public import Tokenization
