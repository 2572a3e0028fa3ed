//! The parameters of a query: each known, each given once unless it may be repeated.

use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::http::request::Parts;

use super::refusal::Refusal;
use crate::limits::MAX_QUERY_PARAMETERS;

/// What stands behind the question mark, until it is taken out.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl Parameters {
    /// The value of a parameter that may be given once. An empty value is none: forms send empty fields.
    pub(crate) fn take(&mut self, name: &'static str) -> Result<Option<String>, Refusal> {
        let mut values = self.take_all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(Refusal::bad_request(format!("{name} is given {} times", values.len()), "give it once")),
        }
    }

    /// The value of a parameter that must be given once; `example` is one.
    pub(crate) fn require(&mut self, name: &'static str, example: &str) -> Result<String, Refusal> {
        let missing = || Refusal::bad_request(format!("{name} is missing"), format!("add {name}={example}"));
        self.take(name)?.ok_or_else(missing)
    }

    /// All values of a parameter that may be repeated.
    pub(crate) fn take_all(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let is_other = |(given, _): &(String, String)| given != name;
        let (rest, taken) = std::mem::take(&mut self.given).into_iter().partition(is_other);
        self.given = rest;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
    }

    /// A whole number within bounds, or what it is when it is not given.
    pub(crate) fn number(&mut self, name: &'static str, max: usize, default: usize) -> Result<usize, Refusal> {
        let Some(text) = self.take(name)? else { return Ok(default) };
        match text.parse() {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => Err(Refusal::bad_request(format!("{name}={text} is not allowed"), format!("use 1 to {max}"))),
        }
    }

    /// Refuses what has not been taken: a parameter that is not known would be passed over in silence.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        match self.given.first() {
            None => Ok(()),
            Some((name, _)) => {
                let hint = match self.known.as_slice() {
                    [] => "there are none here".to_owned(),
                    known => format!("known here: {}", known.join(", ")),
                };
                Err(Refusal::bad_request(format!("the parameter {name:?} is not known"), hint))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let given = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(given) = given.map_err(|error| {
            Refusal::bad_request(format!("the query can't be read: {error}"), "percent-encode it (RFC 3986)")
        })?;
        if given.len() > MAX_QUERY_PARAMETERS {
            let error = format!("{} parameters; at most {MAX_QUERY_PARAMETERS} are read", given.len());
            return Err(Refusal::bad_request(error, "ask in several requests"));
        }
        Ok(Parameters { given, known: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parameters(query: &str) -> Result<Parameters, Refusal> {
        let (mut parts, ()) = Request::builder().uri(format!("/x?{query}")).body(()).unwrap().into_parts();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Parameters::from_request_parts(&mut parts, &()))
    }

    #[test]
    fn each_parameter_is_taken_once() {
        let mut query = parameters("device=core%201&series=a&series=b&limit=5&empty=").unwrap();
        assert_eq!(query.require("device", "core1").unwrap(), "core 1");
        assert_eq!(query.take_all("series"), ["a", "b"]);
        assert_eq!(query.number("limit", 10, 7).unwrap(), 5);
        assert_eq!(query.number("page", 10, 7).unwrap(), 7);
        assert_eq!(query.take("empty").unwrap(), None);
        query.finish().unwrap();
    }

    #[test]
    fn mistakes_are_told_with_what_would_do() {
        let error = |result: Result<(), Refusal>| {
            let Refusal { status, error, hint, .. } = result.unwrap_err();
            format!("{} {error}: {hint}", status.as_u16())
        };
        let twice = parameters("a=1&a=2").unwrap().take("a").map(drop);
        assert_eq!(error(twice), "400 a is given 2 times: give it once");
        let missing = parameters("").unwrap().require("device", "core1").map(drop);
        assert_eq!(error(missing), "400 device is missing: add device=core1");
        let mut unknown = parameters("devise=x").unwrap();
        unknown.take("device").unwrap();
        assert_eq!(error(unknown.finish()), "400 the parameter \"devise\" is not known: known here: device");
        for text in ["0", "11", "x", "-1"] {
            let number = parameters(&format!("limit={text}")).unwrap().number("limit", 10, 1).map(drop);
            assert_eq!(error(number), format!("400 limit={text} is not allowed: use 1 to 10"));
        }
        let many: String = (0..=MAX_QUERY_PARAMETERS).map(|i| format!("p{i}=1&")).collect();
        assert_eq!(parameters(&many).unwrap_err().status.as_u16(), 400);
    }
}
