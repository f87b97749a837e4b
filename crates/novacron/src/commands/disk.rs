//! `novacron disk …`
