namespace Muse.Diffusion;

/// <summary>How many steps a run from an image takes.</summary>
static class StrengthRule
{
    /// <summary>The share <paramref name="strength"/> of the steps.</summary>
    /// <param name="steps">Steps of the whole schedule.</param>
    /// <param name="strength">Above 0 to 1.</param>
    /// <param name="roundsUp">Which of two numbers it takes where the share falls between them: Stable Diffusion's pipelines of diffusers
    /// take the smaller, those of flow-matching models the larger.</param>
    /// <returns>Steps; 0 where the strength leaves none.</returns>
    public static int StepsToRun(int steps, double strength, bool roundsUp) => roundsUp
        ? steps - (int)Math.Max(steps - steps * strength, 0)
        : Math.Min((int)(steps * strength), steps);
}
