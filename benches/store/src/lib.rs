//! Nothing but a place for the bench `engines`, see README.md.
