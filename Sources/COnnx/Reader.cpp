#include <rally.h>

#include "Reader.h"

extern "C" const rox_reader *rally_onnx_reader(void) {
  static const rox_reader reader = {sizeof(rox_reader),  ROX_READER_VERSION,
                                    rox_model_open,      rox_model_close,
                                    rox_ir_version,      rox_opset_version,
                                    rox_producer,        rox_graph_name,
                                    rox_has_graph,       rox_node_count,
                                    rox_metadata_count,  rox_metadata_at,
                                    rox_value_count,     rox_value_at,
                                    rox_tensor_count,    rox_tensor_at,
                                    rox_tensor_read,     rox_string_next,
                                    rox_model_check,     rox_rewrite_open,
                                    rox_rewrite_close,   rox_rewrite_piece_count,
                                    rox_rewrite_piece_at};
  return &reader;
}
