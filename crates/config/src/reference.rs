//! Names of what is described elsewhere: providers in this document, regions in the catalog.

use crate::{
    check::Checker,
    error::Place,
    keys::{KINDS, PRICING},
    scalar::near,
    schema::Referent,
};

/// A name, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub to: Referent,
    pub name: String,
    /// The name as it may be shown in an error: never what a variable gave.
    pub shown: String,
    /// Its key, such as `policies[0].action.regions[1]`.
    pub path: String,
    pub place: Place,
}

impl Checker<'_> {
    pub(crate) fn refer(&mut self, to: Referent, name: &str, path: &str) {
        let (place, shown) = (self.place(path), self.quote(path));
        self.references.push(Reference { to, name: name.to_owned(), shown, path: path.to_owned(), place });
    }

    /// Finds a fault in each reference to a provider that is neither one of `names` nor a kind.
    pub(crate) fn check_providers(&mut self, names: &[&str]) {
        for reference in &self.references {
            let (more, what): (&[&str], _) = match reference.to {
                Referent::Provider => (&[], "provider or kind of provider"),
                Referent::Offer => (PRICING, "provider, kind of provider or way of paying"),
                // Who has the catalog knows the regions.
                Referent::Region | Referent::Place => continue,
            };
            let known: Vec<&str> = names.iter().chain(KINDS).chain(more).copied().collect();
            if !known.contains(&reference.name.as_str()) {
                let help = match near(&reference.name, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                let (path, shown) = (&reference.path, &reference.shown);
                self.faults.at(reference.place, format!("`{path}`: there is no {what} {shown}; {help}"));
            }
        }
    }
}
