//! The pickle machine: reads opcodes of protocols 0 to 5 and builds [`Value`]s. It imports nothing and calls nothing.
//!
//! Every opcode adds at most one value, opcodes are counted, and texts are as long as the file says and holds: memory is bounded
//! by the file. Opcodes: CPython's `Lib/pickletools.py`.

use super::imports::Imports;
use super::input::Input;
use super::value::{Heap, Node, Value};
use std::collections::HashMap;

/// Pickles of real checkpoints stay well below a tenth of this.
const MAX_OPCODES: u64 = 4 << 20;

/// Why a pickle cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("it ends early")]
    EndsEarly,
    #[error("it cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("opcode {0:#04x} is unknown")]
    UnknownOpcode(u8),
    #[error("the stack is empty")]
    EmptyStack,
    #[error("there is no mark on the stack")]
    NoMark,
    #[error("nothing is remembered under {0}")]
    UnknownMemo(u64),
    #[error("{0:?} is not a number")]
    NotANumber(String),
    #[error("an import has no name")]
    NamelessImport,
    #[error("a value of the wrong kind is {0}")]
    WrongKind(&'static str),
    #[error("a line is longer than 65536 bytes")]
    LongLine,
    #[error("it has more than {MAX_OPCODES} opcodes")]
    TooLong,
}

/// One pickle, read to its end.
pub(super) struct Pickle {
    pub heap: Heap,
    pub root: Value,
}

/// Reads one pickle from `input`, noting what it imports and calls.
pub(super) fn load(input: &mut Input, imports: &mut Imports) -> Result<Pickle, Fault> {
    let mut machine = Machine {
        input,
        imports,
        heap: Heap::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..MAX_OPCODES {
        let opcode = machine.input.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle {
                heap: machine.heap,
                root,
            });
        }
        let known = machine.constant(opcode)?
            || machine.text(opcode)?
            || machine.container(opcode)?
            || machine.stack_or_memo(opcode)?
            || machine.object(opcode)?;
        if !known {
            return Err(Fault::UnknownOpcode(opcode));
        }
    }
    Err(Fault::TooLong)
}

struct Machine<'a> {
    input: &'a mut Input,
    imports: &'a mut Imports,
    heap: Heap,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
}

impl Machine<'_> {
    fn pop(&mut self) -> Result<Value, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(Fault::EmptyStack);
        }
        self.stack.pop().ok_or(Fault::EmptyStack)
    }

    fn top(&self) -> Result<Value, Fault> {
        self.stack.last().copied().ok_or(Fault::EmptyStack)
    }

    fn push_node(&mut self, node: Node) {
        let value = self.heap.add(node);
        self.stack.push(value);
    }

    /// Everything above the topmost mark, and the mark gone.
    fn pop_marked(&mut self) -> Result<Vec<Value>, Fault> {
        let height = self.marks.pop().ok_or(Fault::NoMark)?;
        Ok(self.stack.split_off(height))
    }

    fn constant(&mut self, opcode: u8) -> Result<bool, Fault> {
        let value = match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Int(i64::from(self.input.byte()?)),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.input.array()?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.input.array()?))),
            b'I' => decimal(&self.input.line()?)?,
            b'L' => decimal(self.input.line()?.trim_end_matches('L'))?,
            0x8a => {
                let length = self.input.byte()?;
                self.long(u64::from(length))?
            }
            0x8b => {
                let length = u32::from_le_bytes(self.input.array()?);
                self.long(u64::from(length))?
            }
            b'F' => {
                self.input.line()?;
                Value::Opaque
            }
            b'G' => {
                self.input.skip(8)?;
                Value::Opaque
            }
            _ => return Ok(false),
        };
        self.stack.push(value);
        Ok(true)
    }

    /// A little-endian two's complement integer; one that 64 bits do not hold is opaque.
    fn long(&mut self, length: u64) -> Result<Value, Fault> {
        if length > 8 {
            self.input.skip(length)?;
            return Ok(Value::Opaque);
        }
        let mut bytes = [0; 8];
        for byte in &mut bytes[..length as usize] {
            *byte = self.input.byte()?;
        }
        let unused = 64 - 8 * length as u32;
        let number = i64::from_le_bytes(bytes).checked_shl(unused).unwrap_or(0);
        Ok(Value::Int(number.checked_shr(unused).unwrap_or(0)))
    }

    fn text(&mut self, opcode: u8) -> Result<bool, Fault> {
        let text = match opcode {
            b'V' => self.input.line()?,
            b'S' => self.input.line()?.trim_matches(['\'', '"']).to_owned(),
            b'U' | 0x8c => {
                let length = self.input.byte()?;
                self.input.text(u64::from(length))?
            }
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.input.array()?);
                self.input.text(u64::from(length))?
            }
            0x8d => {
                let length = u64::from_le_bytes(self.input.array()?);
                self.input.text(length)?
            }
            _ => return self.bytes(opcode),
        };
        self.push_node(Node::Text(text));
        Ok(true)
    }

    /// Byte strings are skipped: no tensor of a checkpoint is kept in one.
    fn bytes(&mut self, opcode: u8) -> Result<bool, Fault> {
        let length = match opcode {
            b'C' => u64::from(self.input.byte()?),
            b'B' => u64::from(u32::from_le_bytes(self.input.array()?)),
            0x8e | 0x96 => u64::from_le_bytes(self.input.array()?),
            // A buffer out of band: nothing in the stream.
            0x97 => 0,
            _ => return Ok(false),
        };
        self.input.skip(length)?;
        self.stack.push(Value::Opaque);
        Ok(true)
    }

    fn container(&mut self, opcode: u8) -> Result<bool, Fault> {
        match opcode {
            b')' => self.push_node(Node::Tuple(Vec::new())),
            0x85..=0x87 => {
                let height = self.stack.len().checked_sub(usize::from(opcode - 0x84));
                let floor = self.marks.last().copied().unwrap_or(0);
                let height = height
                    .filter(|height| *height >= floor)
                    .ok_or(Fault::EmptyStack)?;
                let items = self.stack.split_off(height);
                self.push_node(Node::Tuple(items));
            }
            b't' | 0x91 => {
                let items = self.pop_marked()?;
                self.push_node(Node::Tuple(items));
            }
            b']' | 0x8f => self.push_node(Node::List(Vec::new())),
            b'l' => {
                let items = self.pop_marked()?;
                self.push_node(Node::List(items));
            }
            b'}' => self.push_node(Node::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_marked()?;
                let pairs = items.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value));
                self.push_node(Node::Dict(pairs.collect()));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_marked()?;
                self.extend_list(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_marked()?;
                self.extend_dict(&items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Objects that behave like lists are calls here; what is appended to them is dropped.
    fn extend_list(&mut self, items: &[Value]) -> Result<(), Fault> {
        match self.heap.get_mut(self.top()?) {
            Some(Node::List(list)) => list.extend_from_slice(items),
            Some(Node::Call { .. }) => {}
            _ => return Err(Fault::WrongKind("appended to")),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: &[Value]) -> Result<(), Fault> {
        let pairs = items.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value));
        match self.heap.get_mut(self.top()?) {
            Some(Node::Dict(dict)) => dict.extend(pairs),
            Some(Node::Call { .. }) => {}
            _ => return Err(Fault::WrongKind("given items")),
        }
        Ok(())
    }

    fn stack_or_memo(&mut self, opcode: u8) -> Result<bool, Fault> {
        match opcode {
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                // POP takes a mark when one is on top.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => drop(self.pop_marked()?),
            b'2' => self.stack.push(self.top()?),
            b'p' => self.remember_line()?,
            b'q' => {
                let key = u64::from(self.input.byte()?);
                self.memo.insert(key, self.top()?);
            }
            b'r' => {
                let key = u64::from(u32::from_le_bytes(self.input.array()?));
                self.memo.insert(key, self.top()?);
            }
            0x94 => {
                self.memo.insert(self.memo.len() as u64, self.top()?);
            }
            b'g' => {
                let line = self.input.line()?;
                let key = line.parse().map_err(|_| Fault::NotANumber(line))?;
                self.recall(key)?;
            }
            b'h' => {
                let key = u64::from(self.input.byte()?);
                self.recall(key)?;
            }
            b'j' => {
                let key = u64::from(u32::from_le_bytes(self.input.array()?));
                self.recall(key)?;
            }
            0x80 => self.input.skip(1)?,
            0x95 => self.input.skip(8)?,
            0x98 => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn remember_line(&mut self) -> Result<(), Fault> {
        let line = self.input.line()?;
        let key = line.parse().map_err(|_| Fault::NotANumber(line))?;
        self.memo.insert(key, self.top()?);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), Fault> {
        let value = self.memo.get(&key).ok_or(Fault::UnknownMemo(key))?;
        self.stack.push(*value);
        Ok(())
    }

    fn object(&mut self, opcode: u8) -> Result<bool, Fault> {
        match opcode {
            b'c' => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                let global = self.import(module, name);
                self.stack.push(global);
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let both = self.heap.text(module).zip(self.heap.text(name));
                let (module, name) = both.ok_or(Fault::NamelessImport)?;
                let global = self.import(module.to_owned(), name.to_owned());
                self.stack.push(global);
            }
            b'i' => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                let arguments = self.pop_marked()?;
                let arguments = self.heap.add(Node::Tuple(arguments));
                let callable = self.import(module, name);
                self.call(callable, arguments);
            }
            b'o' => {
                let mut items = self.pop_marked()?;
                if items.is_empty() {
                    return Err(Fault::EmptyStack);
                }
                let callable = items.remove(0);
                let arguments = self.heap.add(Node::Tuple(items));
                self.call(callable, arguments);
            }
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments);
            }
            0x92 => {
                let (_keywords, arguments, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callable, arguments);
            }
            b'b' => self.build()?,
            b'P' => {
                let key = self.input.line()?;
                let key = self.heap.add(Node::Text(key));
                self.push_node(Node::Persistent(key));
            }
            b'Q' => {
                let key = self.pop()?;
                self.push_node(Node::Persistent(key));
            }
            0x82..=0x84 => {
                // A number of copyreg's registry: whatever the program registered.
                let length = 1 << (opcode - 0x82);
                self.input.skip(length)?;
                let global = self.import("copyreg".to_owned(), "extension".to_owned());
                self.stack.push(global);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn import(&mut self, module: String, name: String) -> Value {
        self.imports.note(&module, &name);
        self.heap.add(Node::Global { module, name })
    }

    /// Notes the call. A call of a dictionary's class is that dictionary.
    fn call(&mut self, callable: Value, arguments: Value) {
        if let Some((module, name)) = self.heap.global(callable) {
            self.imports.note_call(module, name);
            if module == "collections" && matches!(name, "OrderedDict" | "defaultdict" | "Counter") {
                let items = self.dict_items(arguments);
                return self.push_node(Node::Dict(items));
            }
        }
        self.push_node(Node::Call {
            callable,
            arguments,
            state: None,
        });
    }

    /// `OrderedDict([[key, value], …])`, as protocol 0 writes it.
    fn dict_items(&self, arguments: Value) -> Vec<(Value, Value)> {
        let pairs = self
            .heap
            .sequence(arguments)
            .and_then(|items| self.heap.sequence(*items.first()?));
        let pair = |value: &Value| match self.heap.sequence(*value) {
            Some([key, value]) => Some((*key, *value)),
            _ => None,
        };
        pairs.unwrap_or_default().iter().filter_map(pair).collect()
    }

    fn build(&mut self) -> Result<(), Fault> {
        let new_state = self.pop()?;
        match self.heap.get_mut(self.top()?) {
            Some(Node::Call { state, .. }) => *state = Some(new_state),
            // Attributes of a dictionary, such as `_metadata`.
            Some(_) => {}
            None => return Err(Fault::WrongKind("given a state")),
        }
        Ok(())
    }
}

fn decimal(line: &str) -> Result<Value, Fault> {
    match line {
        "00" => Ok(Value::Bool(false)),
        "01" => Ok(Value::Bool(true)),
        _ => match line.parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_)
                if line
                    .trim_start_matches('-')
                    .bytes()
                    .all(|byte| byte.is_ascii_digit()) =>
            {
                Ok(Value::Opaque)
            }
            Err(_) => Err(Fault::NotANumber(line.to_owned())),
        },
    }
}
