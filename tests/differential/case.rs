//! What is sent to both sides: a document and its variables, as text.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub text: String,
    /// A JSON object.
    pub variables: String,
}

impl Case {
    /// The body of a request over HTTP.
    pub fn body(&self) -> String {
        let query = serde_json::Value::from(self.text.as_str());
        format!("{{\"query\":{query},\"variables\":{}}}", self.variables)
    }

    pub fn size(&self) -> usize {
        self.text.len() + self.variables.len()
    }
}
