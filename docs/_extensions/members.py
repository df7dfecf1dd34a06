"""Tables at the head of large classes in the reference: what their methods are for. What is in none is internal."""

TABLES = {
    "cynn.Network": {
        "Build": ["mlp", "from_config", "get_config", "get_weights", "set_weights", "initialize_from",
                  "scale_inputs", "regularizer"],
        "Train": ["fit", "train_batch", "loop", "gradients", "penalty", "hvp", "problem", "parameter_vector",
                  "update_moving_averages"],
        "Use": ["predict", "evaluate", "laplace", "jacobian", "jvp", "vjp", "input_gradients", "hessian",
                "hessian_diagonal"],
        "Inspect": ["summary", "activations", "diagnose", "parameter_count", "outputs", "feature_names", "classes",
                    "watch"],
        "Save": ["save", "to_c", "to_fortran", "to_html", "to_js", "to_onnx", "to_python"],
    },
}  # fmt: skip

#: Public methods that the modules of CyNN call, and users need not.
INTERNAL = {
    "cynn.Network": ["as_rows", "check_rows", "as_rows_or_one", "replace_input", "forward", "objective",
                     "output_activation",
                     "outputs_for_loss", "penalized", "raise_unusable", "remember_names", "values_for_loss"],
}  # fmt: skip
