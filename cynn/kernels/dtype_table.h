/* The functions that a network of one dtype calls. Matrices are void * here. */
#ifndef CYNN_DTYPE_TABLE_H
#define CYNN_DTYPE_TABLE_H

#include "tables.h"

typedef struct {
    cynn_element_kind kind;
    int64_t itemsize;
    /* rows: cynn_row_kernels */
    int64_t (*gather)(const cynn_rows *source, const int64_t *index, int64_t count, int64_t ahead, double scale,
                      double offset, int check_finite, void *out);
    int64_t (*first_nonfinite_row)(const cynn_rows *source);
    int (*are_categories)(int64_t n, const cynn_categories *categories, int64_t rows, int64_t columns, const void *x);
    void (*one_hot)(const int64_t *classes, const int64_t *index, int64_t count, int64_t columns, void *target);
    void (*weigh)(const double *sample_weight, const int64_t *index, int64_t count, double share, void *weight);
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
    /* parts: the structs of abi.h */
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
    /* updates: cynn_update_kernels */
    double (*regularize)(int64_t size, const void *w, double l1, double l2, void *grad);
    int (*are_finite)(int64_t size, const void *x);
    double (*norm)(int64_t size, const void *x);
    void (*scale)(int64_t size, double factor, void *x);
    void (*add)(int64_t size, const void *x, void *total);
    void (*clip)(int64_t size, double limit, void *x);
    void (*average)(int64_t size, const void *w, double momentum, void *mean);
    void (*constrain)(cynn_constraint_kind kind, double value, int64_t rows, int64_t columns, int64_t begin,
                      int64_t end, void *w);
} cynn_dtype;

#endif
