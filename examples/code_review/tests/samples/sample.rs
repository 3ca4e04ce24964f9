use std::fmt;

/* outer { /* nested } */ still a comment { */
pub struct Point<'a> { name: &'a str }

impl<'a> fmt::Display for Point<'a> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name)
    }
}

pub(crate) async unsafe fn longest<'a, T>(x: &'a [T; 4], y: char) -> Option<&'a T>
where
    T: PartialOrd,
{
    let brace = '{';
    let raw = r#"fn no() { " } "#;
    'outer: for item in x.iter() {
        match item {
            v if v > &x[0] => {
                if y == '\'' {
                    break 'outer;
                }
            }
            _ => continue,
        }
    }
    x.iter().find(|v| {
        **v > x[1]
    })
}

trait Shape {
    fn area(&self) -> f64;
    fn double(&self) -> f64 {
        self.area() * 2.0
    }
}

fn chooser(n: Option<i32>) -> i32 {
    let Some(k) = n else {
        return 0;
    };
    let sign = if k > 0 { 1 } else if k < 0 { -1 } else { 0 };
    fn helper(i: i32) -> i32 {
        loop {
            while let Some(_) = Some(i) {
                return i;
            }
        }
    }
    let f: for<'x> fn(&'x i32) -> i32 = |v| *v;
    helper(sign) + f(&k)
}
