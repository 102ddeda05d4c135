// A stand-in for NVIDIA's driver library: just enough to see every call of `device/cuda`.
//
// Memory is the host's. Streams queue and do nothing until something waits for them, and a copy
// reads its source only then, so that a missing wait or a buffer that is used again too early
// gives wrong bytes. Fresh memory is garbage. Kernels are named by a comment in their PTX.

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int Status;
enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_PTX = 218, INVALID_CONTEXT = 201 };

static __thread int bound;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t live, builds;

#define BOUND if (!bound) return INVALID_CONTEXT
#define EXPORT __attribute__((visibility("default")))

__attribute__((destructor)) static void report(void) {
    fprintf(stderr, "stand-in: %lld objects live, %lld modules assembled\n", (long long)live,
            (long long)builds);
}

static void count(int64_t by) { __atomic_add_fetch(&live, by, __ATOMIC_SEQ_CST); }

// Streams ---------------------------------------------------------------------------------------

typedef struct { char name[64]; char kind[16]; int words, maps; } Function;
typedef struct { Function *function; unsigned blocks, threads; unsigned char values[1024]; } Launch;
typedef struct Stream Stream;
typedef struct { Stream *stream; uint64_t at; double time; } Event;
enum Kind { COPY, FILL, RECORD, WAIT, RUN };
typedef struct {
    enum Kind kind;
    void *to; const void *from; size_t bytes; uint32_t value; int width;
    Event *event; Event seen; Launch launch;
} Op;
struct Stream { Op *ops; uint64_t begin, end, room; double time; };

static void die(const char *what) { fprintf(stderr, "stand-in: %s\n", what); abort(); }

static void run(Launch *it) {
    Function *f = it->function;
    uint64_t *word = (uint64_t *)it->values;
    uint64_t tiles = word[f->words - 1];
    if (it->blocks == 0 || (uint64_t)it->blocks * (it->threads / 32) < tiles) die("tiles left out");
    int32_t *data = (int32_t *)word[0];
    if (!strcmp(f->kind, "store")) for (uint64_t t = 0; t < tiles; t++) data[t] = (int32_t)t;
    else if (!strcmp(f->kind, "add")) for (uint64_t t = 0; t < tiles; t++) data[t] += (int32_t)word[1];
    else if (!strcmp(f->kind, "map")) {
        uint64_t *map = word + 16; // the first multiple of 128 bytes
        data[0] = (int32_t)map[2];
        data[1] = (int32_t)(map[0] == word[0]);
    } else die("unknown kernel");
}

static void until(Stream *s, uint64_t at) {
    while (s->begin < at) {
        Op op = s->ops[s->begin++];
        switch (op.kind) {
        case COPY: memmove(op.to, op.from, op.bytes); break;
        case FILL:
            if (op.width == 1) memset(op.to, (int)op.value, op.bytes);
            else for (size_t i = 0; i < op.bytes; i++) ((uint32_t *)op.to)[i] = op.value;
            break;
        case RECORD: op.event->time = s->time; break;
        case WAIT: if (op.seen.stream) until(op.seen.stream, op.seen.at); break;
        case RUN: s->time += 1; run(&op.launch); break;
        }
    }
}

static Op *push(Stream *s, enum Kind kind) {
    if (s->end == s->room) {
        s->room = s->room * 2 + 64;
        s->ops = realloc(s->ops, s->room * sizeof(Op));
    }
    Op *op = &s->ops[s->end++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    return op;
}

// Start -----------------------------------------------------------------------------------------

EXPORT Status cuInit(unsigned flags) { return flags ? INVALID_VALUE : OK; }
EXPORT Status cuDriverGetVersion(int *v) {
    const char *set = getenv("STANDIN_VERSION");
    *v = set ? atoi(set) : 13000;
    return OK;
}
EXPORT Status cuGetErrorName(Status s, const char **out) {
    *out = s == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
         : s == INVALID_PTX   ? "CUDA_ERROR_INVALID_PTX"
         : s == INVALID_CONTEXT ? "CUDA_ERROR_INVALID_CONTEXT" : "CUDA_ERROR_INVALID_VALUE";
    return OK;
}
EXPORT Status cuGetErrorString(Status s, const char **out) { (void)s; *out = "in words"; return OK; }
EXPORT Status cuDeviceGetCount(int *n) { *n = 1; return OK; }
EXPORT Status cuDeviceGet(int *d, int n) { *d = n; return n ? 101 : OK; }
EXPORT Status cuDeviceGetName(char *name, int n, int d) { (void)d; snprintf(name, n, "Stand-in"); return OK; }
EXPORT Status cuDeviceGetAttribute(int *v, int a, int d) {
    (void)d;
    *v = a == 75 ? 9 : a == 76 ? 0 : a == 16 ? 4 : -1;
    return *v < 0 ? INVALID_VALUE : OK;
}
EXPORT Status cuDevicePrimaryCtxRetain(void **c, int d) { (void)d; *c = &lock; count(1); return OK; }
EXPORT Status cuDevicePrimaryCtxRelease_v2(int d) { (void)d; count(-1); return OK; }
EXPORT Status cuCtxSetCurrent(void *c) { bound = c == &lock; return bound ? OK : INVALID_CONTEXT; }

// Memory ----------------------------------------------------------------------------------------

static void *allocate(size_t bytes) {
    void *p = NULL;
    if (posix_memalign(&p, 256, bytes)) return NULL;
    memset(p, 0xa5, bytes);
    count(1);
    return p;
}
EXPORT Status cuMemGetInfo_v2(size_t *free_, size_t *total) {
    BOUND;
    const char *set = getenv("STANDIN_FREE");
    *free_ = set ? strtoull(set, NULL, 10) : 1ull << 30;
    *total = 1ull << 31;
    return OK;
}
EXPORT Status cuMemAlloc_v2(uint64_t *p, size_t n) { BOUND; *p = (uint64_t)allocate(n); return *p ? OK : OUT_OF_MEMORY; }
EXPORT Status cuMemFree_v2(uint64_t p) { BOUND; free((void *)p); count(-1); return OK; }
EXPORT Status cuMemHostAlloc(void **p, size_t n, unsigned f) { BOUND; *p = allocate(n); return f || !*p ? INVALID_VALUE : OK; }
EXPORT Status cuMemFreeHost(void *p) { BOUND; free(p); count(-1); return OK; }
static Status copy(void *to, const void *from, size_t n, Stream *s) {
    BOUND;
    Op *op = push(s, COPY);
    op->to = to; op->from = from; op->bytes = n;
    return OK;
}
EXPORT Status cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t n, Stream *s) { return copy((void *)to, from, n, s); }
EXPORT Status cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t n, Stream *s) { return copy(to, (void *)from, n, s); }
EXPORT Status cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t n, Stream *s) { return copy((void *)to, (void *)from, n, s); }
static Status fill(uint64_t to, uint32_t v, size_t n, int width, Stream *s) {
    BOUND;
    Op *op = push(s, FILL);
    op->to = (void *)to; op->value = v; op->bytes = n; op->width = width;
    return OK;
}
EXPORT Status cuMemsetD8Async(uint64_t to, unsigned char v, size_t n, Stream *s) { return fill(to, v, n, 1, s); }
EXPORT Status cuMemsetD32Async(uint64_t to, unsigned v, size_t n, Stream *s) { return to % 4 ? INVALID_VALUE : fill(to, v, n, 4, s); }

EXPORT Status cuStreamCreate(Stream **s, unsigned flags) { BOUND; *s = calloc(1, sizeof **s); count(1); return flags == 1 ? OK : INVALID_VALUE; }
EXPORT Status cuStreamDestroy_v2(Stream *s) { BOUND; until(s, s->end); free(s->ops); free(s); count(-1); return OK; }
EXPORT Status cuStreamSynchronize(Stream *s) { BOUND; until(s, s->end); return OK; }
EXPORT Status cuStreamWaitEvent(Stream *s, Event *e, unsigned f) { BOUND; push(s, WAIT)->seen = *e; return f ? INVALID_VALUE : OK; }
EXPORT Status cuEventCreate(Event **e, unsigned f) { BOUND; (void)f; *e = calloc(1, sizeof **e); count(1); return OK; }
EXPORT Status cuEventDestroy_v2(Event *e) { BOUND; if (e->stream) until(e->stream, e->at); free(e); count(-1); return OK; }
EXPORT Status cuEventRecord(Event *e, Stream *s) { BOUND; push(s, RECORD)->event = e; e->stream = s; e->at = s->end; return OK; }
EXPORT Status cuEventSynchronize(Event *e) { BOUND; if (e->stream) until(e->stream, e->at); return OK; }
EXPORT Status cuEventElapsedTime_v2(float *ms, Event *a, Event *b) { BOUND; *ms = (float)(b->time - a->time); return OK; }

// Code ------------------------------------------------------------------------------------------

typedef struct { char *text; void **values; } Link;
static void say(void **values, const char *what) { snprintf(values[2], (size_t)values[3], "%s", what); }
EXPORT Status cuLinkCreate_v2(unsigned n, int *options, void **values, Link **out) {
    BOUND;
    if (n < 4 || options[2] != 5 || options[3] != 6) return INVALID_VALUE;
    *out = calloc(1, sizeof **out);
    (*out)->values = values;
    count(1);
    return OK;
}
EXPORT Status cuLinkAddData_v2(Link *l, int type, void *data, size_t n, const char *name, unsigned k, int *o, void **v) {
    BOUND;
    (void)name; (void)o; (void)v;
    if (type != 1 || k || ((char *)data)[n - 1]) return INVALID_VALUE;
    if (strstr(data, "// broken")) { say(l->values, "line 7: no such instruction"); return INVALID_PTX; }
    if (strstr(data, "// unlinkable")) return INVALID_PTX;
    l->text = malloc(n + 6);
    sprintf(l->text, "CUBIN:%s", (char *)data);
    return OK;
}
EXPORT Status cuLinkComplete(Link *l, void **code, size_t *n) {
    BOUND;
    __atomic_add_fetch(&builds, 1, __ATOMIC_SEQ_CST);
    *code = l->text; *n = strlen(l->text) + 1;
    return OK;
}
EXPORT Status cuLinkDestroy(Link *l) { BOUND; free(l->text); free(l); count(-1); return OK; }
EXPORT Status cuModuleLoadDataEx(Function **out, const char *image, unsigned n, int *o, void **values) {
    BOUND;
    (void)o;
    if (strstr(image, "// broken")) { if (n) say(values, "line 7: no such instruction"); return INVALID_PTX; }
    Function *f = calloc(1, sizeof *f);
    const char *entry = strstr(image, ".entry "), *kind = strstr(image, "// kernel ");
    if (!entry || !kind) return INVALID_PTX;
    sscanf(entry, ".entry %63[a-z0-9](", f->name);
    sscanf(kind, "// kernel %15s", f->kind);
    for (const char *p = entry; (p = strstr(p, ".param .u64")); p++) f->words++;
    for (const char *p = entry; (p = strstr(p, ".param .align 64 .b8")); p++) f->maps++;
    *out = f;
    count(1);
    return OK;
}
EXPORT Status cuModuleUnload(Function *f) { BOUND; free(f); count(-1); return OK; }
EXPORT Status cuModuleGetFunction(Function **f, Function *m, const char *name) { BOUND; *f = m; return strcmp(m->name, name) ? 500 : OK; }
EXPORT Status cuFuncSetAttribute(Function *f, int a, int v) { BOUND; (void)f; return a == 8 && v > 0 ? OK : INVALID_VALUE; }
EXPORT Status cuFuncGetAttribute(int *v, int a, Function *f) { BOUND; (void)a; (void)f; *v = 32; return OK; }
EXPORT Status cuFuncGetParamInfo(Function *f, size_t i, size_t *offset, size_t *size) {
    BOUND;
    *offset = 0;
    *size = i < (size_t)f->words ? 8 : 128;
    return i < (size_t)(f->words + f->maps) ? OK : INVALID_VALUE;
}
EXPORT Status cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, Function *f, int threads, size_t shared) {
    BOUND;
    (void)f; (void)threads;
    *n = shared <= 232448;
    return OK;
}

static Status take(Launch *it, Function *f, unsigned blocks, unsigned threads, void **parameters) {
    if (!f || !blocks || !threads) return INVALID_VALUE;
    memset(it, 0, sizeof *it);
    it->function = f; it->blocks = blocks; it->threads = threads;
    for (int i = 0; i < f->words; i++) memcpy(it->values + 8 * i, parameters[i], 8);
    for (int i = 0; i < f->maps; i++) memcpy(it->values + 128 * (i + 1), parameters[f->words + i], 128);
    return OK;
}
EXPORT Status cuLaunchKernel(Function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                             unsigned shared, Stream *s, void **parameters, void **extra) {
    BOUND;
    (void)shared;
    if (gy != 1 || gz != 1 || by != 1 || bz != 1 || extra) return INVALID_VALUE;
    return take(&push(s, RUN)->launch, f, gx, bx, parameters);
}

// Graphs ----------------------------------------------------------------------------------------

typedef struct { Function *f; unsigned g[3], b[3], shared; void **parameters, **extra; void *kern, *context; } Node;
typedef struct { Launch launch; int on; } Step;
typedef struct { Step steps[64]; uint64_t count; } Graph;
EXPORT Status cuGraphCreate(Graph **g, unsigned f) { BOUND; *g = calloc(1, sizeof **g); count(1); return f ? INVALID_VALUE : OK; }
EXPORT Status cuGraphDestroy(Graph *g) { BOUND; free(g); count(-1); return OK; }
EXPORT Status cuGraphAddKernelNode_v2(uint64_t *node, Graph *g, const uint64_t *before, size_t n, const Node *p) {
    BOUND;
    if (n != (g->count > 0) || (n && *before != g->count) || p->extra) return INVALID_VALUE;
    Step *step = &g->steps[g->count++];
    step->on = 1;
    *node = g->count;
    return take(&step->launch, p->f, p->g[0], p->b[0], p->parameters);
}
EXPORT Status cuGraphInstantiateWithFlags(Graph **out, Graph *g, unsigned long long f) {
    BOUND;
    *out = malloc(sizeof **out);
    memcpy(*out, g, sizeof *g);
    count(1);
    return f ? INVALID_VALUE : OK;
}
EXPORT Status cuGraphExecDestroy(Graph *g) { BOUND; free(g); count(-1); return OK; }
EXPORT Status cuGraphNodeSetEnabled(Graph *g, uint64_t node, unsigned on) { BOUND; g->steps[node - 1].on = (int)on; return OK; }
EXPORT Status cuGraphExecKernelNodeSetParams_v2(Graph *g, uint64_t node, const Node *p) {
    BOUND;
    return take(&g->steps[node - 1].launch, p->f, p->g[0], p->b[0], p->parameters);
}
EXPORT Status cuGraphLaunch(Graph *g, Stream *s) {
    BOUND;
    for (uint64_t i = 0; i < g->count; i++)
        if (g->steps[i].on) push(s, RUN)->launch = g->steps[i].launch;
    return OK;
}
EXPORT Status cuTensorMapEncodeTiled(uint64_t *map, int type, unsigned rank, uint64_t base, const uint64_t *dims,
                                     const uint64_t *strides, const unsigned *box, const unsigned *steps, int interleave,
                                     int swizzle, int promotion, int fill_) {
    if ((uint64_t)map % 64 || base % 16 || !rank || interleave || fill_ || promotion > 3 || swizzle > 3 || type > 12)
        return INVALID_VALUE;
    for (unsigned i = 0; i < rank; i++)
        if (!dims[i] || !box[i] || box[i] > 256 || steps[i] != 1 || (i && strides[i - 1] % 16)) return INVALID_VALUE;
    memset(map, 0, 128);
    map[0] = base; map[1] = dims[0]; map[2] = rank > 1 ? dims[1] : 0;
    return OK;
}
