//! A decision of this process.

use jiff::Zoned;
use novacron_config::Overrides;
use novacron_placement::{Ask, PlacementError, explain, why_not};
use novacron_types::placement::{Decision, PlacementRequest, WhyNotAnswer};

use crate::{
    cli::{ConfigFile, PlaceArgs},
    commands::{config, explain::places_meant},
    exit::{Failure, Result},
    output::Output,
    placing,
    serve::shown_file,
};

pub struct Decided {
    pub decision: Decision,
    pub why_not: Vec<WhyNotAnswer>,
    /// What was decided by, in words.
    pub by: String,
}

pub fn decide(output: &Output, args: &PlaceArgs, request: &PlacementRequest) -> Result<Decided> {
    let (placing, by) = match config::load(&ConfigFile { config: args.config.clone() }, Overrides::default()) {
        Ok(loaded) => {
            let file = shown_file(&loaded);
            let by = loaded.file.as_ref().map_or_else(
                || "the catalog in the executable".to_owned(),
                |path| format!("{} and its catalog", path.display()),
            );
            (placing::placing(&loaded.config, &file)?, by)
        }
        Err(failure) if args.config.is_some() => return Err(failure),
        // It was not asked for, and may be for another user's eyes.
        Err(failure) => {
            output.note(format_args!("{failure}\n  It is left out; name it with --config to decide by it."));
            let settings = novacron_control::PlacingSettings::new(std::sync::Arc::new(placing::embedded()?));
            (placing::Placing { settings, notes: Vec::new() }, "the catalog in the executable".to_owned())
        }
    };
    placing.notes.iter().for_each(|note| output.note(note));
    let market = placing.settings.market().map_err(|why| Failure::failed("cannot read the catalog").why(why))?;
    let mut settings = placing.settings.settings;
    settings.today = Some(today());
    let refused = |error| refused(error, args.file.is_none());
    let ask = Ask::new(&market, &settings, request).map_err(refused)?;
    let answers = places_meant(&args.why_not).into_iter().map(|words| {
        let told = why_not(&ask, &words).map_err(refused)?;
        Ok(WhyNotAnswer { place: told.place, breaks: told.breaks, points_less: told.points_less, places: told.places })
    });
    let why_not = answers.collect::<Result<_>>()?;
    Ok(Decided { decision: explain(&ask), why_not, by })
}

pub fn today() -> jiff::civil::Date {
    Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date()
}

/// Fields of a request, and the options that set them.
const OPTIONS: [(&str, &str); 12] = [
    ("required_cpu", "--cpu"),
    ("required_memory_gb", "--memory"),
    ("required_disk_gb", "--disk"),
    ("disk_type", "--disk-type"),
    ("max_cost_per_hour", "--max-cost"),
    ("required_sla", "--sla"),
    ("weights", "--weights"),
    ("pricing", "--pricing"),
    ("gpu", "--gpu"),
    ("near", "--near"),
    ("instance_type", "--type"),
    ("traffic_gb_per_month", "--traffic"),
];

/// In the command line's own words where the question came from there.
fn refused(error: PlacementError, by_options: bool) -> Failure {
    let hint = match error {
        PlacementError::UnknownPlace { .. } | PlacementError::ProviderForRegion(_) => {
            "`novacron catalog regions` lists the regions and the groups of them; `--config` has the providers."
        }
        PlacementError::UnknownType { .. } => "`novacron catalog list --type BEGINNING -n 0` lists types.",
        PlacementError::UnknownProgramme { .. } => {
            "`novacron catalog regions -o wide` shows which regions are listed for what."
        }
        PlacementError::Policy { .. } | PlacementError::Contradiction { .. } => {
            "Look at `policies` in the configuration; `novacron config check` reads it again."
        }
        PlacementError::Invalid { .. } | PlacementError::TooManyRules(..) => {
            "`novacron place --help` says what each option takes."
        }
    };
    let code = error.code();
    let mut what = error.to_string();
    for (field, option) in OPTIONS.iter().filter(|_| by_options) {
        what = what.replace(&format!("`{field}`"), &format!("`{option}`"));
    }
    Failure::usage(format!("the question can't be answered: {what}")).why(code).hint(hint)
}
