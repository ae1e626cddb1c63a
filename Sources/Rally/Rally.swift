// What a program sees that imports Rally: the targets that it speaks with, and of those beneath them the types that their
// functions speak of. Kernels, caches and what they compute with are not among them.
@_exported public import Curation
@_exported public import Engine
@_exported public import enum Execution.Selection
@_exported public import struct Files.RallyError
@_exported public import enum Kernels.CacheType
@_exported public import struct Kernels.SamplingParameters
@_exported public import class Kernels.WorkerPool
@_exported public import Lineage
@_exported public import Models
@_exported public import enum Tensors.DataType
@_exported public import struct Tensors.Shape
@_exported public import struct Tokenization.EncodingOptions
@_exported public import struct Tokenization.StreamDecoder
@_exported public import enum Tokenization.TextSource
@_exported public import enum Tokenization.TextTokenizer
@_exported public import struct Tokenization.TokenRoles
