extension ModelFixture {
  /// V 8, D 4, H 2, G 1, K 2, F 6.
  private static func common(_ kind: String) -> [(key: String, value: String)] {
    let pairs: KeyValuePairs = [
      "format": "1", "kind": kind, "name": "tiny", "vocab_size": "8", "hidden_size": "4",
      "num_attention_heads": "2", "num_key_value_heads": "1", "head_dim": "2", "intermediate_size": "6",
      "max_position_embeddings": "16", "norm": "rmsnorm", "norm_eps": "1e-05", "norm_position": "pre",
      "norm_bias": "false", "hidden_act": "silu", "mlp": "gated", "attention_bias": "false", "mlp_bias": "false",
      "positions": "rope", "rope_theta": "10000.0", "tokenizer": "none",
    ]
    return pairs.map { (key: "rally." + $0.key, value: $0.value) }
  }

  private static func layer(_ name: String) -> [TensorFixture] {
    [
      TensorFixture("\(name).input_layernorm.weight", [4]),
      TensorFixture("\(name).self_attn.q_proj.weight", [4, 4]),
      TensorFixture("\(name).self_attn.k_proj.weight", [2, 4]),
      TensorFixture("\(name).self_attn.v_proj.weight", [2, 4]),
      TensorFixture("\(name).self_attn.o_proj.weight", [4, 4]),
      TensorFixture("\(name).post_attention_layernorm.weight", [4]),
      TensorFixture("\(name).mlp.gate_proj.weight", [6, 4]),
      TensorFixture("\(name).mlp.up_proj.weight", [6, 4]),
      TensorFixture("\(name).mlp.down_proj.weight", [4, 6]),
    ]
  }

  /// A language model of one layer.
  static var vanilla: ModelFixture {
    var model = ModelFixture(metadata: common("lm"), tensors: [TensorFixture("embed_tokens.weight", [8, 4])])
    model["tie_word_embeddings"] = "true"
    model["num_first_layers"] = "0"
    model["num_block_layers"] = "1"
    model["num_last_layers"] = "0"
    model["num_recursion"] = "1"
    model["sharing"] = "none"
    model["routing"] = "none"
    model.tensors += layer("block.0") + [TensorFixture("norm.weight", [4])]
    return model
  }

  /// Every key of layers that format 2 has: two layers, sandwich norms, biases of some projections, norms of q and k, a
  /// window in the second layer, two rotary tables.
  static var layered: ModelFixture {
    var model = vanilla
    model["format"] = "2"
    model["norm_position"] = "sandwich"
    model["layers_without_input_norm"] = "0"
    model["attention_bias"] = "q,k,v"
    model["mlp_bias"] = "down"
    model["qk_norm"] = "head"
    model["attention"] = "causal"
    model["sliding_window"] = "3"
    model["layer_types"] = "full_attention,sliding_attention"
    model["rope_theta"] = nil
    model["rope_tables"] = "2"
    model["rope_attention_factors"] = "1.0,1.25"
    model["rope_layers"] = "none,1"
    model["rope_scaling"] = "yarn factor 4"
    model["embed_scale"] = "2.0"
    model["num_block_layers"] = "2"
    model.tensors += layer("block.1")
    model.remove("block.0.input_layernorm.weight")
    for index in 0..<2 {
      model.tensors += [
        TensorFixture("block.\(index).input_layernorm_2.weight", [4]),
        TensorFixture("block.\(index).post_attention_layernorm_2.weight", [4]),
        TensorFixture("block.\(index).self_attn.q_proj.bias", [4]),
        TensorFixture("block.\(index).self_attn.k_proj.bias", [2]),
        TensorFixture("block.\(index).self_attn.v_proj.bias", [2]),
        TensorFixture("block.\(index).self_attn.q_norm.weight", [2]),
        TensorFixture("block.\(index).self_attn.k_norm.weight", [2]),
        TensorFixture("block.\(index).mlp.down_proj.bias", [4]),
        TensorFixture("rope.\(index).inv_freq", [1]),
      ]
    }
    return model
  }

  /// Two first layers, one of the block that runs three times, no last one; every key that stacks have in format 2.
  static var looped: ModelFixture {
    var model = vanilla
    model["format"] = "2"
    model["sharing"] = "middle_cycle"
    model["num_first_layers"] = "2"
    model["num_recursion"] = "3"
    model["loop_norm"] = "true"
    model["injection"] = "concat"
    model["injection_bias"] = "true"
    model["initial_state"] = "seeded"
    model["initial_state_std"] = "0.02"
    model["initial_state_seed"] = "7"
    model["exit"] = "hazard"
    model["exit_threshold"] = "0.75"
    model["exit_gates"] = "3"
    model["natural_depth"] = "1.5"
    model["fixed_depth"] = "2"
    model["kv_cache"] = "last_exited"
    model["eos_token_ids"] = "1,2"
    model["chat_template"] = "{{ messages }}"
    model.tensors += layer("first.0") + layer("first.1")
    model.tensors += [TensorFixture("adapter.weight", [4, 8]), TensorFixture("adapter.bias", [4])]
    model.tensors += (0..<3).flatMap {
      [TensorFixture("exit.\($0).weight", [1, 4]), TensorFixture("exit.\($0).bias", [1])]
    }
    return model
  }

  /// Expert choice, middle-cycle, two recursions of one shared layer.
  static var expert: ModelFixture {
    var model = vanilla
    model["num_first_layers"] = "1"
    model["num_last_layers"] = "1"
    model["num_recursion"] = "2"
    model["sharing"] = "middle_cycle"
    model["routing"] = "expert"
    model["router_type"] = "linear"
    model["router_func"] = "sigmoid"
    model["router_alpha"] = "0.1"
    model["router_temp"] = "1.0"
    model["gating"] = "weighted"
    model["kv_cache"] = "recursion"
    model["capacity"] = "1.0,0.5"
    model["aux_router"] = "false"
    model.tensors += layer("first.0") + layer("last.0")
    model.tensors += (0..<2).map { TensorFixture("router.\($0).weight", [1, 4]) }
    return model
  }

  /// Token choice with a bias and an MLP router.
  static var token: ModelFixture {
    var model = expert
    model["routing"] = "token"
    model["router_type"] = "mlp"
    model["router_func"] = "softmax"
    model["capacity"] = nil
    model["aux_router"] = nil
    model["router_bias"] = "true"
    model.tensors.removeAll { $0.name.hasPrefix("router.") }
    model.tensors += [
      TensorFixture("router.0.0.weight", [8, 4]), TensorFixture("router.0.2.weight", [2, 8]),
      TensorFixture("router.bias", [2]),
    ]
    return model
  }

  /// A rater with learned positions, layer norms with biases, an MLP head and a clamp.
  static var rater: ModelFixture {
    var model = ModelFixture(metadata: common("rater"), tensors: [TensorFixture("embed_tokens.weight", [8, 4])])
    model["norm"] = "layernorm"
    model["norm_bias"] = "true"
    model["norm_position"] = "post"
    model["positions"] = "learned"
    model["rope_theta"] = nil
    model["num_block_layers"] = "1"
    model["embed_norm"] = "false"
    model["final_norm"] = "pooled"
    model["pooling"] = "cls"
    model["head"] = "mlp"
    model["head_act"] = "tanh"
    model["squash"] = "clamp"
    model["squash_temperature"] = "2.0"
    model["squash_min"] = "0.05"
    model["squash_max"] = "1.0"
    model["packing"] = "document"
    model["score_provenance"] = "tests"
    model["discard_fraction"] = "0.5"
    model.tensors += [TensorFixture("embed_positions.weight", [16, 4])] + layer("block.0")
    model.tensors += ["block.0.input_layernorm", "block.0.post_attention_layernorm", "norm"].map {
      TensorFixture("\($0).bias", [4])
    }
    model.tensors += [
      TensorFixture("norm.weight", [4]), TensorFixture("head.0.weight", [3, 4]), TensorFixture("head.0.bias", [3]),
      TensorFixture("head.1.weight", [1, 3]), TensorFixture("head.1.bias", [1]),
      TensorFixture("score.cdf", [3], values: [-1, 0, 2]),
    ]
    return model
  }

  /// The rater with three outputs, of which the last one's probability is the score, read from both ends.
  static var severalOutputs: ModelFixture {
    var model = rater
    model["format"] = "2"
    model["pooling"] = "last"
    model["pad_token_id"] = "0"
    model["num_labels"] = "3"
    model["labels"] = #"["a", "b\u0020c", "d"]"#
    model["score"] = "softmax"
    model["score_index"] = "2"
    model["int_score"] = "0.0,5.0"
    model["head_norm"] = "true"
    model["reading"] = "ends"
    model["reading_tokens"] = "12"
    model["reading_characters"] = "100"
    model["reading_join"] = "max"
    model["text_template"] = "{url} {text}"
    model.remove("head.1.weight")
    model.remove("head.1.bias")
    model.tensors += [
      TensorFixture("head.norm.weight", [3]), TensorFixture("head.norm.bias", [3]),
      TensorFixture("head.1.weight", [3, 3]), TensorFixture("head.1.bias", [3]),
    ]
    return model
  }

  /// The vanilla model with a tokenizer of single bytes.
  static var withTokenizer: ModelFixture {
    var model = vanilla
    model["tokenizer"] = "bpe"
    model["pre_tokenizer"] = "gpt2"
    model["add_prefix_space"] = "false"
    model["bos_token_id"] = "0"
    model["eos_token_id"] = "0"
    model["add_bos"] = "true"
    model["add_eos"] = "false"
    model.tensors += [
      TensorFixture("tokenizer.vocab", type: 8, extents: [4], payload: .strings(["<s>", "a", "b", "ab"])),
      TensorFixture("tokenizer.merges", type: 8, extents: [1], payload: .strings(["a b"])),
      TensorFixture("tokenizer.added", type: 7, extents: [1], payload: .int64s([0])),
      TensorFixture("tokenizer.special", type: 7, extents: [1], payload: .raw(TensorFixture.bytes([Int64(0)]))),
    ]
    return model
  }

  /// The rater with BERT's tokenizer.
  static var withWordPiece: ModelFixture {
    var model = rater
    model["tokenizer"] = "wordpiece"
    model["clean_text"] = "true"
    model["handle_chinese_chars"] = "true"
    model["strip_accents"] = "true"
    model["lowercase"] = "true"
    model["continuing_subword_prefix"] = "##"
    model["max_input_chars_per_word"] = "100"
    model["unk_token_id"] = "0"
    model["decoder_cleanup"] = "true"
    model["bos_token_id"] = "1"
    model["eos_token_id"] = "2"
    model["add_bos"] = "true"
    model["add_eos"] = "true"
    let vocabulary = ["[UNK]", "[CLS]", "[SEP]", "a", "##b"]
    model.tensors += [
      TensorFixture("tokenizer.vocab", type: 8, extents: [5], payload: .strings(vocabulary)),
      TensorFixture("tokenizer.added", type: 7, extents: [3], payload: .int64s([0, 1, 2])),
      TensorFixture("tokenizer.special", type: 7, extents: [3], payload: .int64s([0, 1, 2])),
    ]
    return model
  }
}
