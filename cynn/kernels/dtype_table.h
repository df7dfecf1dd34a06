/* The functions that a network of one dtype calls. Matrices are void * here. */
#ifndef CYNN_DTYPE_TABLE_H
#define CYNN_DTYPE_TABLE_H

#include "tables.h"

typedef struct {
    cynn_element_kind kind;
    int64_t itemsize;
    cynn_row_kernels rows;
    cynn_update_kernels updates;
    cynn_direction_kernels directions;
    /* operations: cynn_operation */
    void (*forward)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass, int64_t begin,
                    int64_t end);
    void (*backward)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass, int64_t begin,
                     int64_t end, void *delta);
    void (*forward_columns)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass,
                            int64_t begin, int64_t end);
    void (*backward_columns)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass,
                             int64_t begin, int64_t end, void *delta);
    void (*gradient)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass,
                     int64_t parameter, int64_t begin, int64_t end, void *grad);
    int (*has_linear_step)(const cynn_operation *operation);
    int (*has_forward_columns)(const cynn_operation *operation);
    int (*has_backward_columns)(const cynn_operation *operation);
    void (*linear_step)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass, int64_t begin,
                        int64_t end, double alpha, double beta, void *scratch);
    void (*update_states)(const cynn_operation *operation, const cynn_operands *op,
                          const cynn_pass *pass); /* optional */
    /* whether the functions below are there */
    int (*has_jvp)(const cynn_operation *operation);
    int (*has_backward_jvp)(const cynn_operation *operation);
    int (*has_gradient_jvp)(const cynn_operation *operation);
    void (*jvp)(const cynn_operation *operation, const cynn_operands *op, const cynn_tangents *tangents,
                const cynn_pass *pass, int64_t begin, int64_t end);
    void (*backward_jvp)(const cynn_operation *operation, const cynn_operands *op, const cynn_tangents *tangents,
                         const cynn_pass *pass, int64_t begin, int64_t end);
    void (*gradient_jvp)(const cynn_operation *operation, const cynn_operands *op, const cynn_tangents *tangents,
                         const cynn_pass *pass, int64_t parameter, int64_t begin, int64_t end, void *grad);
    /* parts: the structs of abi.h */
    int (*has_activation_jvp)(const cynn_activation *activation);
    int (*has_activation_backward_jvp)(const cynn_activation *activation);
    void (*activation_jvp)(const cynn_activation *activation, const double *h, int64_t rows, int64_t cols,
                           const void *z, const void *a, const void *dz, void *da);
    void (*activation_backward_jvp)(const cynn_activation *activation, const double *h, int64_t rows, int64_t cols,
                                    const void *z, const void *a, const void *grad, const void *dz, const void *da,
                                    void *dgrad);
    int (*has_loss_backward_jvp)(const cynn_loss *loss, int fused);
    void (*loss_backward_jvp)(const cynn_loss *loss, const double *h, int fused, int64_t rows, int64_t cols,
                              const void *prediction, const void *target, const int64_t *class_index,
                              const void *sample_weight, const void *dprediction, void *dgrad);
    void (*activation_forward)(const cynn_activation *activation, const double *h, int64_t rows, int64_t cols,
                               const void *z, void *a);
    void (*activation_backward)(const cynn_activation *activation, const double *h, int64_t rows, int64_t cols,
                                const void *z, const void *a, void *grad);
    double (*loss)(const cynn_loss *loss, const double *h, int fused, int64_t rows, int64_t cols,
                   const void *prediction, const void *target, const int64_t *class_index, const void *sample_weight,
                   void *grad);
    /* on w and the slots, from element `offset` on */
    void (*optimizer_step)(const cynn_optimizer *optimizer, const double *h, double learning_rate, int64_t t,
                           int64_t rows, int64_t cols, int64_t offset, void *w, void *grad, void *const *slots);
} cynn_dtype;

#endif
