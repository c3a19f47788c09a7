//! Equations of `einsum`, such as `"bij,bjk->bik"`: what each axis of each operand is called.

/// An axis's name: a letter, or for an axis of the ellipsis a digit, counted from its last.
pub(crate) type Label = u8;

/// The labels of the operands' axes and of the result's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Equation {
    pub(crate) inputs: Vec<Vec<Label>>,
    pub(crate) output: Vec<Label>,
}

impl Equation {
    /// Reads an equation for operands of these numbers of axes.
    ///
    /// # Errors
    /// What the equation lacks, to follow "needs".
    pub(crate) fn parse(text: &str, ranks: &[usize]) -> Result<Self, String> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (&*text, None),
        };
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != ranks.len() {
            return Err(format!("as many terms as operands ({})", ranks.len()));
        }
        let (mut inputs, mut ellipsis) = (Vec::new(), 0);
        for (term, &rank) in terms.iter().zip(ranks) {
            let named = term.replacen("...", "", 1).len();
            let rest = rank.checked_sub(named).filter(|&rest| rest == 0 || term.contains("..."));
            let rest = rest.ok_or_else(|| format!("a label for each axis of operand {term:?}"))?;
            ellipsis = ellipsis.max(rest);
            inputs.push(labels(term, rest)?);
        }
        let output = match right {
            Some(right) => labels(right, ellipsis)?,
            None => implicit(&inputs, ellipsis),
        };
        for (i, label) in output.iter().enumerate() {
            if output[..i].contains(label) {
                return Err(format!("each output label once, not two {:?}", char::from(*label)));
            }
            if !inputs.iter().any(|input| input.contains(label)) {
                return Err(format!("output labels of the inputs, not {:?}", char::from(*label)));
            }
        }
        Ok(Equation { inputs, output })
    }
}

/// The labels of a term whose ellipsis stands for so many axes.
fn labels(term: &str, ellipsis: usize) -> Result<Vec<Label>, String> {
    let digits: String = (0..ellipsis).rev().map(|i| char::from(b'0' + i as u8)).collect();
    let bare = term.replacen("...", "", 1);
    match bare.bytes().find(|label| !label.is_ascii_alphabetic()) {
        Some(other) => Err(format!("labels that are letters, not {:?}", char::from(other))),
        None => Ok(term.replacen("...", &digits, 1).into_bytes()),
    }
}

/// The output when none is given: the ellipsis, then the labels that occur once, in order.
fn implicit(inputs: &[Vec<Label>], ellipsis: usize) -> Vec<Label> {
    let all: Vec<Label> = inputs.concat();
    let once = |label: &Label| all.iter().filter(|other| *other == label).count() == 1;
    let mut named: Vec<Label> =
        all.iter().copied().filter(|label| label.is_ascii_alphabetic() && once(label)).collect();
    named.sort_unstable();
    (0..ellipsis as u8).rev().map(|i| b'0' + i).chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ranks: &[usize], inputs: &[&str], output: &str) {
        let inputs = inputs.iter().map(|input| input.as_bytes().to_vec()).collect();
        let want = Equation { inputs, output: output.as_bytes().to_vec() };
        assert_eq!(Equation::parse(text, ranks), Ok(want), "{text}");
    }

    #[test]
    fn equations_are_read_as_numpy_reads_them() {
        check("ij,jk->ik", &[2, 2], &["ij", "jk"], "ik");
        check("ij, jk", &[2, 2], &["ij", "jk"], "ik");
        check("ba", &[2], &["ba"], "ab");
        check("ii", &[2], &["ii"], "");
        check("...ij,...jk", &[4, 3], &["10ij", "0jk"], "10ik");
        check("b...->...", &[3], &["b10"], "10");
        check("...,->", &[0, 0], &["", ""], "");
    }

    #[test]
    fn what_an_equation_lacks_is_said() {
        let check = |text: &str, ranks: &[usize], want: &str| {
            assert_eq!(Equation::parse(text, ranks).unwrap_err(), want, "{text}");
        };
        check("ij->ij", &[2, 2], "as many terms as operands (2)");
        check("ij->i", &[3], "a label for each axis of operand \"ij\"");
        check("ij->ii", &[2], "each output label once, not two 'i'");
        check("ij->k", &[2], "output labels of the inputs, not 'k'");
        check("i1->i", &[2], "labels that are letters, not '1'");
    }
}
