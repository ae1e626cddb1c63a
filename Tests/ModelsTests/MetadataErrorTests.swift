import Models
import Tensors
import Testing

/// Wrong metadata: the code, and the key that is named.
@Suite struct MetadataErrorTests {
  /// Every key that a model has must be there.
  @Test(arguments: [ModelFixture.vanilla, .expert, .token, .rater, .withTokenizer, .withWordPiece])
  func missingKeys(_ fixture: ModelFixture) throws {
    for (key, _) in fixture.metadata {
      var spoiled = fixture
      spoiled[String(key.dropFirst(6))] = nil
      let error = try #require(failure(spoiled.bytes), "without \(key)")
      #expect(error.code == .missingKey)
      #expect(error.subject == key)
    }
  }

  @Test(arguments: ["rally.rope_theta", "rally.kind"])
  func duplicateKey(_ key: String) throws {
    var fixture = ModelFixture.vanilla
    fixture.metadata.append((key, "1"))
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .duplicateKey)
    #expect(error.message.contains(key))
  }

  @Test(arguments: ["flavour", "capacity", "pooling", "bos_token_id", "", "hidden_size "])
  func unknownKey(_ key: String) throws {
    var fixture = ModelFixture.vanilla
    fixture.metadata.append(("rally." + key, "1"))
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .unknownKey)
    #expect(error.message.contains("rally." + key))
  }

  static let invalid: [(model: ModelFixture, key: String, values: [String])] = [
    (.vanilla, "kind", ["", "LM", "model"]),
    (.vanilla, "vocab_size", ["", "0", "-1", "+8", "8.0", " 8", "08", "0x8", "2147483648", "99999999999999999999"]),
    (.vanilla, "hidden_size", ["0", "1048577", "4096k"]),
    (.vanilla, "num_attention_heads", ["0", "4194305"]),
    (.vanilla, "num_key_value_heads", ["0", "3"]),
    (.vanilla, "head_dim", ["0", "3", "2097153"]),
    (.vanilla, "intermediate_size", ["0", "4194305"]),
    (.vanilla, "max_position_embeddings", ["0", "2147483648"]),
    (.vanilla, "norm", ["batchnorm"]),
    (.vanilla, "norm_eps", ["0", "-1e-5", "nan", "inf", "1e-60", "1e60", "0x1p-5", "1,5", ""]),
    (.vanilla, "norm_position", ["post", "both"]),
    (.vanilla, "norm_bias", ["true", "True", "1"]),
    (.vanilla, "hidden_act", ["swish"]),
    (.vanilla, "mlp", ["moe"]),
    (.vanilla, "attention_bias", ["yes"]),
    (.vanilla, "positions", ["alibi"]),
    (.vanilla, "rope_theta", ["0", "-1", "1e999"]),
    (.vanilla, "tokenizer", ["sentencepiece", "wordpiece"]),
    (.vanilla, "num_first_layers", ["1", "2"]),
    (.vanilla, "num_last_layers", ["1"]),
    (.vanilla, "num_block_layers", ["0", "65537"]),
    (.vanilla, "num_recursion", ["0", "2"]),
    (.vanilla, "sharing", ["middle"]),
    (.vanilla, "routing", ["expert", "some"]),
    (.layered, "norm_position", ["both"]),
    (.layered, "layers_without_input_norm", ["2", "-1", "0,", "x"]),
    (.layered, "attention_bias", ["", "q,,k", "q,q", "gate", "yes"]),
    (.layered, "mlp_bias", ["q", "down,down"]),
    (.layered, "qk_norm", ["true", "full"]),
    (.layered, "attention", ["bidirectional", "both"]),
    (.layered, "sliding_window", ["0", "-1", "2147483648"]),
    (.layered, "layer_types", ["full_attention", "full_attention,chunked_attention", ""]),
    (.layered, "rope_tables", ["0", "x", "65537"]),
    (.layered, "rope_attention_factors", ["1.0", "1.0,0", "1.0,nan"]),
    (.layered, "rope_layers", ["0", "0,2", "none,-1"]),
    (.layered, "embed_scale", ["inf", "x", "1e60"]),
    (.looped, "num_first_layers", ["-1", "65537"]),
    (.looped, "num_recursion", ["0", "256", "1000000"]),
    (.looped, "loop_norm", ["yes"]),
    (.looped, "injection", ["add"]),
    (.looped, "initial_state", ["random"]),
    (.looped, "initial_state_std", ["0", "nan", "1e60"]),
    (.looped, "initial_state_seed", ["-1", "1.5", "99999999999999999999"]),
    (.looped, "exit", ["entropy"]),
    (.looped, "exit_threshold", ["nan", "-0.1", "inf", "1e39", ""]),
    (.looped, "exit_gates", ["0", "1", "4"]),
    (.looped, "natural_depth", ["0.9", "3.1"]),
    (.looped, "fixed_depth", ["0", "4"]),
    (.looped, "kv_cache", ["shared", "propagated"]),
    (.looped, "eos_token_ids", ["8", "1,", "none"]),
    (.expert, "num_recursion", ["65537"]),
    (.expert, "num_first_layers", ["0"]),
    (.expert, "router_type", ["deep"]),
    (.expert, "router_func", ["softmax"]),
    (.expert, "router_alpha", ["inf", "1e300"]),
    (.expert, "router_temp", ["0"]),
    (.expert, "gating", ["none"]),
    (.expert, "kv_cache", ["none"]),
    (.expert, "capacity", ["1.0", "1.0,0.5,0.2", "1.0,", "1.0,0", "1.0,1.5", "1.0,x", "nan,1"]),
    (.expert, "aux_router", [""]),
    (.token, "router_func", ["tanh"]),
    (.rater, "pooling", ["max", "late"]),
    (.rater, "head", ["linear2"]),
    (.rater, "head_act", ["elu"]),
    (.rater, "final_norm", ["true"]),
    (.rater, "squash", ["tanh"]),
    (.rater, "squash_temperature", ["0"]),
    (.rater, "squash_max", ["0.01"]),
    (.rater, "discard_fraction", ["1", "-0.1", "null"]),
    (.rater, "packing", ["padded"]),
    (.severalOutputs, "num_labels", ["0", "65537"]),
    (.severalOutputs, "labels", ["", "a,b,c", #"["a","b"]"#, #"["a","b","b"]"#, #"["a","b",""]"#, #"["a","b",3]"#, #"["a","b","c"]x"#]),
    (.severalOutputs, "score", ["", "argmax"]),
    (.severalOutputs, "score_index", ["3", "-1", "c"]),
    (.severalOutputs, "int_score", ["0", "5,0", "0,1,2", "0,inf", "0,1e9"]),
    (.severalOutputs, "pad_token_id", ["8", "x"]),
    (.severalOutputs, "reading", ["all", ""]),
    (.severalOutputs, "reading_tokens", ["0", "17"]),
    (.severalOutputs, "reading_characters", ["0"]),
    (.severalOutputs, "reading_join", ["sum"]),
    (.withTokenizer, "bos_token_id", ["8", "-1", "null"]),
    (.withTokenizer, "pre_tokenizer", ["bert"]),
    (.withWordPiece, "strip_accents", ["none", "null", ""]),
    (.withWordPiece, "continuing_subword_prefix", ["", "################."]),
    (.withWordPiece, "max_input_chars_per_word", ["0", "-1", "2147483648"]),
    (.withWordPiece, "unk_token_id", ["8", "none", "[UNK]"]),
    (.withWordPiece, "add_bos", ["2"]),
  ]

  @Test(arguments: invalid.indices)
  func invalidValue(_ index: Int) throws {
    let (model, key, values) = Self.invalid[index]
    for value in values {
      var fixture = model
      fixture[key] = value
      let error = try #require(failure(fixture.bytes), "\(key) = \(value)")
      #expect(error.code == .invalidValue, "\(key) = \(value)")
      #expect(error.subject == "rally." + key)
      #expect(!error.expected.isEmpty && !error.found.isEmpty)
    }
  }

  /// In a file of format 1 the keys of format 2 are unknown.
  @Test(arguments: ["qk_norm", "attention", "sliding_window", "rope_tables", "rope_layers", "embed_scale"])
  func laterKeys(_ key: String) throws {
    var fixture = ModelFixture.vanilla
    fixture[key] = ModelFixture.layered[key]
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .unknownKey && error.message.contains("rally." + key))
  }

  /// What belongs to exits is unknown without one, what belongs to loops under a router.
  @Test(arguments: [
    ("exit", ["exit_threshold", "exit_gates", "natural_depth", "fixed_depth", "kv_cache"]),
    ("injection", ["injection_bias", "initial_state", "initial_state_std"]),
  ])
  func keysOfLoops(_ switch: String, _ keys: [String]) throws {
    for key in keys {
      var fixture = ModelFixture.looped
      for other in keys where other != key { fixture[other] = nil }
      fixture[`switch`] = nil
      #expect(failure(fixture.bytes)?.code == .unknownKey, "\(key)")
    }
    var routed = ModelFixture.expert
    routed["format"] = "2"
    routed[`switch`] = ModelFixture.looped[`switch`]
    #expect(failure(routed.bytes)?.code == .unknownKey)
  }

  /// It stands between the two layers of a head, as wide as the model.
  @Test func latePooling() throws {
    var late = ModelFixture.severalOutputs
    (late["pooling"], late["pad_token_id"], late["final_norm"]) = ("late", nil, "tokens")
    #expect(failure(late.bytes)?.code == .invalidShape)
    for name in ["head.0.weight", "head.0.bias", "head.norm.weight", "head.norm.bias", "head.1.weight"] { late.remove(name) }
    late.tensors += [
      TensorFixture("head.0.weight", [4, 4]), TensorFixture("head.0.bias", [4]), TensorFixture("head.norm.weight", [4]),
      TensorFixture("head.norm.bias", [4]), TensorFixture("head.1.weight", [3, 4]),
    ]
    #expect(failure(late.bytes) == nil)
    for (key, value) in [("final_norm", "pooled"), ("head", "linear"), ("head", "none")] {
      var wrong = late
      wrong[key] = value
      let error = try #require(failure(wrong.bytes))
      #expect(error.code == .invalidValue && error.subject == "rally." + key, "\(key) = \(value)")
    }
  }

  @Test func exitWithoutThreshold() throws {
    var fixture = ModelFixture.looped
    fixture["exit_threshold"] = nil
    #expect(failure(fixture.bytes)?.code == .missingKey)
  }

  /// Copies of the block that differ, and the policy that goes with them.
  @Test func policiesAndCopies() throws {
    var untied = ModelFixture.looped
    untied.remove("block.0.mlp.up_proj.weight")
    untied.tensors += (0..<3).map { TensorFixture("block.\($0).0.mlp.up_proj.weight", [6, 4]) }
    let error = try #require(failure(untied.bytes))
    #expect(error.code == .invalidValue && error.subject == "rally.kv_cache")
    untied["kv_cache"] = "full"
    #expect(failure(untied.bytes) == nil)
    untied["kv_cache"] = "propagated"
    #expect(failure(untied.bytes)?.subject == "rally.kv_cache", "with injection")
    for key in ["injection", "injection_bias", "initial_state", "initial_state_std", "initial_state_seed"] { untied[key] = nil }
    untied.remove("adapter.weight")
    untied.remove("adapter.bias")
    #expect(failure(untied.bytes) == nil)
  }

  /// Keys that say nothing without another one.
  @Test(arguments: ["layer_types", "rope_attention_factors"])
  func keysWithoutTheirCondition(_ key: String) throws {
    var fixture = ModelFixture.vanilla
    fixture["format"] = "2"
    fixture[key] = ModelFixture.layered[key]
    #expect(failure(fixture.bytes)?.code == .unknownKey)
  }

  @Test func thetaBesideTables() throws {
    var fixture = ModelFixture.layered
    fixture["rope_theta"] = "10000.0"
    #expect(failure(fixture.bytes)?.code == .unknownKey)
  }

  /// Under a router entries are ranks, not positions.
  @Test func windowWithRouter() throws {
    var fixture = ModelFixture.expert
    fixture["format"] = "2"
    fixture["sliding_window"] = "4"
    fixture["layer_types"] = "full_attention,sliding_attention,full_attention"
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .invalidValue && error.subject == "rally.sliding_window")
  }

  @Test func otherModel() throws {
    var fixture = ModelFixture.vanilla
    fixture.metadata = [("author", "nobody")]
    let error = try #require(failure(fixture.bytes))
    #expect(error.code == .notARallyModel)
    #expect(error.message.contains("python -m rally.convert"))
  }

  @Test func newerFormat() throws {
    var fixture = ModelFixture.vanilla
    fixture["format"] = "3"
    #expect(failure(fixture.bytes)?.code == .unsupportedVersion)
  }

  /// What a file says is quoted in one short line.
  @Test func messageIsOneLine() throws {
    var fixture = ModelFixture.vanilla
    fixture["sharing"] = "a\nb\u{0}\u{1B}[31m" + String(repeating: "x", count: 100_000)
    let error = try #require(failure(fixture.bytes))
    #expect(error.message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    #expect(error.message.count < 500)
  }
}
