//! A missing and a misspelt input, and a setting that is none, are rustc's errors.
use gradc::prelude::*;

network! {
    Fields {
        input  left:  [batch, 8];
        input  right: [batch, 8];
        target y: [batch, 1];
        let p = (left + right).dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    adam(rate = 1e-3);
    }
}

fn main() -> gradc::Result<()> {
    let mut net = Fields::options().compile()?;
    net.predict(&FieldsInputs { left: &[0.0; 8] })?;
    net.predict(&FieldsInputs { left: &[0.0; 8], rihgt: &[0.0; 8] })?;
    net.step(&FieldsBatch { left: &[0.0; 8], right: &[0; 8], y: &[0.0] })?;
    net.set_rate(1.0)?;
    println!("{}", net.evaluate(&Dataset::new())?.accuracy);
    Ok(())
}
