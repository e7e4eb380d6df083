//! Which imports a pickle makes, and which of them rebuilding tensors does not need.

use super::super::{Finding, Severity};
use std::collections::BTreeMap;

/// Imports of one file's pickles: `(module, name)`, and whether it is called.
#[derive(Debug, Default)]
pub(super) struct Imports(BTreeMap<(String, String), bool>);

/// What `torch.load(weights_only=True)` allows, by module; `*` stands for every name.
const ALLOWED: &[(&str, &[&str])] = &[
    ("collections", &["OrderedDict", "defaultdict", "Counter"]),
    (
        "torch",
        &[
            "Size",
            "Tensor",
            "device",
            "dtype",
            "FloatStorage",
            "DoubleStorage",
            "HalfStorage",
            "BFloat16Storage",
            "LongStorage",
            "IntStorage",
            "ShortStorage",
            "CharStorage",
            "ByteStorage",
            "BoolStorage",
            "ComplexFloatStorage",
            "ComplexDoubleStorage",
            "QInt8Storage",
            "QUInt8Storage",
            "QInt32Storage",
            "float64",
            "float32",
            "float16",
            "bfloat16",
            "int64",
            "int32",
            "int16",
            "int8",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "bool",
            "complex64",
            "complex128",
            "float8_e4m3fn",
            "float8_e5m2",
            "float8_e4m3fnuz",
            "float8_e5m2fnuz",
            "float8_e8m0fnu",
            "per_tensor_affine",
            "per_channel_affine",
            "strided",
            "sparse_coo",
        ],
    ),
    (
        "torch.cuda",
        &["FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage"],
    ),
    (
        "torch.storage",
        &["UntypedStorage", "TypedStorage", "_load_from_bytes"],
    ),
    (
        "torch.nn.parameter",
        &["Parameter", "UninitializedParameter", "Buffer"],
    ),
    (
        "torch._utils",
        &[
            "_rebuild_tensor",
            "_rebuild_tensor_v2",
            "_rebuild_tensor_v3",
            "_rebuild_parameter",
            "_rebuild_parameter_with_state",
            "_rebuild_qtensor",
            "_rebuild_sparse_tensor",
            "_rebuild_meta_tensor_no_storage",
        ],
    ),
    ("torch._tensor", &["_rebuild_from_type_v2", "_rebuild_from_type"]),
    ("torch.serialization", &["_get_layout"]),
    ("torch.jit._pickle", &["*"]),
    (
        "builtins",
        &[
            "set",
            "frozenset",
            "bytearray",
            "complex",
            "int",
            "float",
            "list",
            "dict",
            "tuple",
            "slice",
        ],
    ),
    (
        "__builtin__",
        &[
            "set",
            "frozenset",
            "bytearray",
            "complex",
            "long",
            "int",
            "float",
            "list",
            "dict",
        ],
    ),
    ("_codecs", &["encode"]),
    ("numpy", &["ndarray", "dtype"]),
    ("numpy.core.multiarray", &["scalar", "_reconstruct"]),
    ("numpy._core.multiarray", &["scalar", "_reconstruct"]),
];

/// Modules whose functions run programs, evaluate code, or reach files and the network.
const DANGEROUS_MODULES: &[&str] = &[
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "pty",
    "runpy",
    "socket",
    "shutil",
    "webbrowser",
    "importlib",
    "pip",
    "pickle",
    "_pickle",
    "code",
    "codeop",
    "ctypes",
    "multiprocessing",
    "asyncio",
    "urllib",
    "http",
    "requests",
    "httpx",
    "ftplib",
    "smtplib",
    "tempfile",
    "pathlib",
    "io",
    "bdb",
    "pdb",
    "timeit",
    "cProfile",
    "profile",
    "trace",
    "platform",
    "commands",
    "popen2",
    "marshal",
    "types",
    "operator",
    "functools",
    "copyreg",
    "builtins",
    "__builtin__",
];

impl Imports {
    pub fn note(&mut self, module: &str, name: &str) {
        self.0.entry((module.to_owned(), name.to_owned())).or_default();
    }

    pub fn note_call(&mut self, module: &str, name: &str) {
        self.0.insert((module.to_owned(), name.to_owned()), true);
    }

    /// What the tensors do not need, worst first.
    pub fn findings(self, file: &str) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .0
            .into_iter()
            .filter(|((module, name), _)| !is_allowed(module, name))
            .map(|((module, name), called)| Finding {
                severity: severity(&module),
                file: file.to_owned(),
                import: format!("{module}.{name}"),
                called,
            })
            .collect();
        findings.sort();
        findings
    }
}

fn is_allowed(module: &str, name: &str) -> bool {
    // Classes of a TorchScript archive: its own code, which TorchScript compiles in a language without side effects.
    if module == "__torch__" || module.starts_with("__torch__.") {
        return true;
    }
    ALLOWED.iter().any(|(allowed, names)| {
        *allowed == module && names.iter().any(|known| *known == "*" || *known == name)
    })
}

fn severity(module: &str) -> Severity {
    let top = module.split('.').next().unwrap_or(module);
    if DANGEROUS_MODULES.contains(&top) {
        Severity::Dangerous
    } else {
        Severity::Suspicious
    }
}
