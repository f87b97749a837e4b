//! `reassign MODEL INITIAL OUTPUT`: reads a model and an initial assignment in the challenge's format, and writes the
//! best assignment found.

use novacron_rebalance::{Budget, Options, Problem, lower_bound, parse_assignment, parse_model, solve};
use std::fmt::{Display, Write as _};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: reassign MODEL INITIAL OUTPUT [--seconds N] [--threads N] [--seed N] [--steps N]
  --seconds  how long all of it takes, reading and writing included (300)
  --threads  walks side by side (as many as there are cores)
  --seed     the same seed and steps give the same assignment (1)
  --steps    ends after so many steps of each walk, not in time";

/// What the end of the search leaves of the time for checking and writing: at least this,
const TO_WRITE: Duration = Duration::from_millis(300);
/// and a part of what reading took, since both grow with the model and with what else the machine does.
const OF_READING: u32 = 3;

enum Failure {
    Usage(String),
    Work(String),
}

struct Arguments {
    files: [PathBuf; 3],
    seconds: u64,
    threads: usize,
    seed: u64,
    steps: Option<u64>,
}

fn main() -> ExitCode {
    let start = Instant::now();
    match arguments().and_then(|arguments| run(&arguments, start)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("{message}\n{USAGE}");
            ExitCode::from(2)
        }
        Err(Failure::Work(message)) => {
            eprintln!("reassign: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, start: Instant) -> Result<(), Failure> {
    let [model_path, initial_path, output] = &arguments.files;
    let model = parse_model(&read(model_path)?).map_err(|e| at(model_path, e))?;
    let initial = parse_assignment(&read(initial_path)?, &model).map_err(|e| at(initial_path, e))?;
    let problem = Problem::new(model, initial).map_err(|e| Failure::Work(e.to_string()))?;
    let before = problem.cost(problem.initial()).total();
    println!("before     {before}");

    let budget = match arguments.steps {
        Some(steps) => Budget::Steps(steps),
        None => {
            let all = Duration::from_secs(arguments.seconds);
            let rest = TO_WRITE.max(start.elapsed() / OF_READING);
            Budget::Until(start + all.saturating_sub(rest))
        }
    };
    let (walks, seed) = (arguments.threads, arguments.seed);
    let options = Options { budget, walks, seed, max_moves: None, stop: &AtomicBool::new(false) };
    let outcome = solve(&problem, &options);

    if outcome.lost > 0 {
        eprintln!("reassign: {} walks panicked; what is written is from the others", outcome.lost);
    }
    // What is written was checked from nothing, by the rules and not by the search.
    let after = problem.cost(&outcome.assignment).total();
    if let Some(broken) = problem.violations(&outcome.assignment, 1).first() {
        return Err(Failure::Work(format!("the search broke a constraint, nothing is written: {broken}")));
    }
    if after != i128::from(outcome.cost) || after > before {
        return Err(Failure::Work(format!("the search counted {}, it is {after}: nothing is written", outcome.cost)));
    }
    write(output, &outcome.assignment)?;
    println!("after      {after}");
    let bound = lower_bound(problem.model());
    let gap = (after - bound) as f64 / (after.max(1)) as f64 * 100.0;
    println!("at least   {bound} (gap {gap:.4} %)");
    println!("steps      {}", outcome.steps);
    println!("seconds    {:.3}", start.elapsed().as_secs_f64());
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|e| at(path, e))
}

/// Beside the output first, so that there is a whole file or none.
fn write(path: &Path, assignment: &[u32]) -> Result<(), Failure> {
    let mut text = String::with_capacity(assignment.len() * 5);
    for (i, machine) in assignment.iter().enumerate() {
        let gap = if i == 0 { "" } else { " " };
        // Writing to a string can't fail.
        let _ = write!(text, "{gap}{machine}");
    }
    text.push('\n');
    let mut name = path.file_name().ok_or_else(|| at(path, "not a file's name"))?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let whole = || {
        let mut file = fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    whole().map_err(|e| {
        // The first error is what is told.
        let _ = fs::remove_file(&beside);
        at(path, e)
    })
}

fn at(path: &Path, error: impl Display) -> Failure {
    Failure::Work(format!("{}: {error}", path.display()))
}

fn arguments() -> Result<Arguments, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut files, mut seconds, mut threads, mut seed, mut steps) = (Vec::new(), 300, cores, 1, None);
    let mut rest = std::env::args_os().skip(1);
    while let Some(word) = rest.next() {
        let Some(name) = word.to_str().filter(|w| w.starts_with("--")) else {
            files.push(PathBuf::from(word));
            continue;
        };
        let mut value = |most: u64| {
            let value = rest.next().and_then(|v| v.to_str().and_then(|v| v.parse().ok()));
            value
                .filter(|&v| v <= most)
                .ok_or_else(|| Failure::Usage(format!("{name} wants a whole number of at most {most}")))
        };
        match name {
            "--seconds" => seconds = value(1_000_000)?,
            "--threads" => threads = value(256)? as usize,
            "--seed" => seed = value(u64::MAX)?,
            "--steps" => steps = Some(value(u64::MAX)?),
            _ => return Err(Failure::Usage(format!("there is no {name}"))),
        }
    }
    let count = files.len();
    let files = files.try_into().map_err(|_| Failure::Usage(format!("three files are needed, not {count}")))?;
    Ok(Arguments { files, seconds, threads, seed, steps })
}
