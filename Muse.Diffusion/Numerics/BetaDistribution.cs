namespace Muse.Diffusion;

/// <summary>The beta distribution with both parameters equal, which is symmetric around ½.</summary>
static class BetaDistribution
{
    const int Terms = 60, Halvings = 60;

    /// <summary>The value below which a share of the distribution lies.</summary>
    /// <param name="share">0 to 1.</param>
    /// <param name="parameter">Both parameters, above 0.</param>
    public static double Quantile(double share, double parameter)
    {
        if (share is <= 0 or >= 1)
            return share <= 0 ? 0 : 1;
        if (share > 0.5)
            return 1 - Quantile(1 - share, parameter);
        // By symmetry half of it lies below ½, which gives the distribution's constant.
        var wanted = share * 2 * Integral(0.5, parameter);
        var (low, high) = (0.0, 0.5);
        for (var i = 0; i < Halvings; i++)
        {
            var middle = (low + high) / 2;
            if (Integral(middle, parameter) < wanted)
                low = middle;
            else
                high = middle;
        }
        return (low + high) / 2;
    }

    // ∫ tᵃ⁻¹·(1 − t)ᵃ⁻¹ dt from 0 to x ≤ ½, term by term of the binomial series of (1 − t)ᵃ⁻¹.
    static double Integral(double x, double a)
    {
        double sum = 0, coefficient = 1;
        for (var n = 0; n < Terms; n++)
        {
            sum += coefficient / (a + n);
            coefficient *= (n + 1 - a) / (n + 1) * x;
        }
        return sum * Math.Pow(x, a);
    }
}
