/* Operations with one fault each, for test_kit_layer_faults.py. */
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include <cynn/abi.h>

static int64_t calls;

#define T float
#define NAME(x) x##_f32
#include "kit_layers_body.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "kit_layers_body.h"
