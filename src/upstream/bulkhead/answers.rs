//! What answers took, as far as means are compared: count, mean and variance of latencies, and the calls in flight when
//! they began.

/// Standard errors that are not chance.
const SURE: f64 = 3.0;

/// Seconds that no caller notices: what is that little slower is as fast.
pub const LITTLE: f64 = 0.003;

/// Share of the mean. If the calls in flight deviate less than this, they cannot be compared.
const ALIKE_LEVELS: f64 = 0.15;

/// Answers that a running mean is of.
const REMEMBERED: u32 = 1024;

/// Sums over answers.
#[derive(Debug, Default, Clone, Copy)]
pub struct Answers {
    pub count: u32,
    seconds: f64,
    squares: f64,
    /// Calls in flight when they began.
    level: f64,
    /// Sums of its squares, and of its products with the seconds.
    levels: f64,
    products: f64,
}

impl Answers {
    pub fn add(&mut self, level: f64, seconds: f64) {
        self.count += 1;
        self.seconds += seconds;
        self.squares += seconds * seconds;
        self.level += level;
        self.levels += level * level;
        self.products += level * seconds;
    }

    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.seconds += other.seconds;
        self.squares += other.squares;
        self.level += other.level;
        self.levels += other.levels;
        self.products += other.products;
    }

    pub fn mean(&self) -> f64 {
        self.seconds / f64::from(self.count.max(1))
    }

    /// Its mean is more than so many times another one, and not by chance.
    pub fn is_over(&self, times: f64, other: &Self) -> bool {
        self.mean() - times * other.mean() > LITTLE + SURE * self.error(times, other)
    }

    pub fn is_under(&self, times: f64, other: &Self) -> bool {
        times * other.mean() + LITTLE - self.mean() >= self.error(times, other)
    }

    /// The standard error of the difference.
    fn error(&self, times: f64, other: &Self) -> f64 {
        (self.variance() + times * times * other.variance()).sqrt()
    }

    /// Seconds that a single answer exceeds neither by so many times, nor by chance.
    pub fn outlier(&self, times: f64) -> f64 {
        let deviation = (self.variance() * f64::from(self.count)).sqrt();
        self.mean() * times + LITTLE + SURE * deviation
    }

    /// Of the mean.
    fn variance(&self) -> f64 {
        let count = f64::from(self.count.max(1));
        (self.squares / count - self.mean().powi(2)).max(0.0) / count
    }

    /// Counts for half, once there are many, so that what is new counts.
    pub fn forget(&mut self) {
        if self.count >= REMEMBERED {
            self.count /= 2;
            for sum in [
                &mut self.seconds,
                &mut self.squares,
                &mut self.level,
                &mut self.levels,
                &mut self.products,
            ] {
                *sum /= 2.0;
            }
        }
    }

    pub fn level(&self) -> f64 {
        self.level / f64::from(self.count.max(1))
    }

    /// Relative growth of the latency for a relative growth of the calls in flight: 0 if they do not matter, 1 if
    /// each call waits for all others. `None` if the calls in flight were about equal.
    pub fn elasticity(&self) -> Option<f64> {
        let count = f64::from(self.count.max(1));
        let (level, seconds) = (self.level(), self.mean());
        let spread = self.levels / count - level * level;
        if spread < (ALIKE_LEVELS * level).powi(2) || seconds <= 0.0 {
            return None;
        }
        let slope = (self.products / count - level * seconds) / spread;
        Some(slope * level / seconds)
    }
}
