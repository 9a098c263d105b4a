using System.Security.Cryptography;

namespace Muse.Api;

/// <summary>Random prompts, for the prompt "surprise me".</summary>
static class RandomPrompts
{
    static readonly string[] Subjects =
        ["a lighthouse", "a red fox", "a small harbour", "a snowy mountain", "a field of sunflowers", "a cabin by a lake",
            "an old sailing ship", "a hot-air balloon", "a desert at night", "a walled garden", "a castle on a hill", "a winding river"];
    static readonly string[] Moments =
        ["at sunrise", "in a thunderstorm", "under the full moon", "in autumn", "in deep winter", "at golden hour", "in the morning mist",
            "beneath the northern lights"];
    static readonly string[] Manners =
        ["oil painting", "watercolour", "woodblock print", "pastel drawing", "long-exposure photograph", "paper collage", "stained glass",
            "ink sketch"];

    /// <summary>A random prompt.</summary>
    public static string Next() => $"{One(Subjects)} {One(Moments)}, {One(Manners)}";

    static string One(string[] of) => of[RandomNumberGenerator.GetInt32(of.Length)];
}
