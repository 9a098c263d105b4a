namespace Muse.Diffusion;

/// <summary>The timesteps of a run, noisiest first.</summary>
static class Timesteps
{
    /// <summary>
    /// One timestep a step, as Euler, Heun, DDIM and PNDM take them; not whole ones for <see cref="TimestepSpacing.Linspace"/>.
    /// </summary>
    public static double[] Of(TimestepSpacing spacing, int trained, int steps, int offset) => spacing switch
    {
        TimestepSpacing.Leading => Fill(steps, i => Math.Min((steps - 1 - i) * (trained / steps) + offset, trained - 1)),
        TimestepSpacing.Trailing => Trailing(trained, steps),
        _ => Fill(steps, i => steps > 1 ? (float)((steps - 1 - i) * (trained - 1.0) / (steps - 1)) : 0),
    };

    /// <summary>One timestep a step with room for the target below the last, as DPM++ and UniPC take them; whole ones.</summary>
    public static double[] AboveTarget(TimestepSpacing spacing, int trained, int steps, int offset) => spacing switch
    {
        TimestepSpacing.Leading => Fill(steps, i => Math.Min((steps - i) * (trained / (steps + 1)) + offset, trained - 1)),
        TimestepSpacing.Trailing => Trailing(trained, steps),
        _ => Fill(steps, i => Math.Round((steps - i) * (trained - 1.0) / steps)),
    };

    static double[] Trailing(int trained, int steps) => Fill(steps, i => Math.Round(trained - i * ((double)trained / steps)) - 1);

    static double[] Fill(int steps, Func<int, double> timestep)
    {
        var result = new double[steps];
        for (var i = 0; i < steps; i++)
            result[i] = timestep(i);
        return result;
    }
}
