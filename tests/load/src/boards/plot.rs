//! Lines over time as an SVG picture, without a library: a few panels, each with its own scale from zero.

use std::fmt::Write as _;

/// Sizes in pixels.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 34.0;
/// Lines of a panel, from the first to the last; they differ in lightness too.
const COLOURS: [&str; 3] = ["#1864ab", "#e8590c", "#868e96"];

/// A line: its name, and values of x and y.
pub struct Line<'a> {
    pub name: &'a str,
    pub points: Vec<(f64, f64)>,
}

/// A panel.
pub struct Panel<'a> {
    pub title: &'a str,
    pub lines: Vec<Line<'a>>,
}

/// The picture, two panels in a row; `x` is what stands below them.
pub fn svg(x: &str, panels: &[Panel<'_>]) -> String {
    let rows = panels.len().div_ceil(2);
    let (width, height) = (2.0 * WIDTH, rows as f64 * HEIGHT);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        let (left, top) = ((number % 2) as f64 * WIDTH, (number / 2) as f64 * HEIGHT);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "<g transform=\"translate({left} {top})\">");
        draw(&mut out, x, panel);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, x: &str, panel: &Panel<'_>) {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let most_x = points().map(|point| point.0).fold(f64::MIN_POSITIVE, f64::max);
    let step = step(points().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max));
    let most_y = step * (points().map(|point| point.1).fold(0.0, f64::max) / step).ceil().max(1.0);
    let at = |(x, y): (f64, f64)| {
        let across = LEFT + (WIDTH - LEFT - RIGHT) * x / most_x;
        (across, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / most_y)
    };
    let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"16\" font-weight=\"bold\">{}</text>", panel.title);
    let mut value = 0.0;
    while value <= most_y + step / 2.0 {
        let ((from, y), (to, _)) = (at((0.0, value)), at((most_x, value)));
        let _ = writeln!(out, "<path d=\"M{from:.1} {y:.1}H{to:.1}\" stroke=\"#dee2e6\"/>");
        let (x, y) = (from - 6.0, y + 4.0);
        let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\" fill=\"#495057\">{value}</text>");
        value += step;
    }
    let below = HEIGHT - BOTTOM + 15.0;
    for hour in 0..=most_x.floor() as u32 {
        let (x, _) = at((f64::from(hour), 0.0));
        let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{below}\" text-anchor=\"middle\" fill=\"#495057\">{hour}</text>");
    }
    let (middle, lowest) = ((LEFT + WIDTH - RIGHT) / 2.0, below + 13.0);
    let _ = writeln!(out, "<text x=\"{middle}\" y=\"{lowest}\" text-anchor=\"middle\" fill=\"#495057\">{x}</text>");
    for (number, (line, colour)) in panel.lines.iter().zip(COLOURS).enumerate() {
        let path: Vec<String> =
            line.points.iter().map(|point| at(*point)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = path.join(" ");
        let _ = writeln!(out, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>");
        let x = LEFT + 130.0 * number as f64;
        let _ = writeln!(out, "<rect x=\"{x}\" y=\"25\" width=\"14\" height=\"3\" fill=\"{colour}\"/>");
        let _ = writeln!(out, "<text x=\"{}\" y=\"31\">{}</text>", x + 19.0, line.name);
    }
}

/// The distance of two lines of the grid: 1, 2 or 5 times a power of ten, so that there are three to six.
fn step(most: f64) -> f64 {
    let power = 10f64.powf((most / 5.0).log10().floor());
    [1.0, 2.0, 5.0].map(|times| times * power).into_iter().find(|step| most / step <= 5.0).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_a_few_lines_whatever_the_scale() {
        for most in [0.03, 0.9, 1.0, 7.0, 49.0, 51.0, 1_234.0] {
            let lines = (most / step(most)).ceil();
            assert!((2.0..=6.0).contains(&lines), "{most}: {lines}");
        }
    }

    #[test]
    fn a_picture_has_a_line_for_each_and_ends_where_the_values_end() {
        let line = |name, points| Line { name, points };
        let panel = Panel { title: "MiB", lines: vec![line("a", vec![(0.0, 1.0), (4.0, 5.0)]), line("b", vec![])] };
        let picture = svg("hours", &[panel]);
        assert_eq!(picture.matches("<polyline").count(), 2);
        assert!(picture.contains(&format!("{:.1},{:.1}\"", WIDTH - RIGHT, TOP)), "{picture}");
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
    }
}
