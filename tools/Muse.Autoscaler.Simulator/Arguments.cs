using System.Globalization;

namespace Muse.Autoscaler.Simulator;

/// <summary>
/// Command-line options as pairs of <c>--name value</c>. Every error is an <see cref="ArgumentException"/> that says what is allowed.
/// </summary>
sealed class Arguments(Dictionary<string, string> values, string usage)
{
    readonly HashSet<string> known = [];

    public static Arguments Parse(string[] arguments, string usage)
    {
        var values = new Dictionary<string, string>();
        for (var i = 0; i < arguments.Length; i += 2)
        {
            if (!arguments[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == arguments.Length)
                throw new ArgumentException(usage);
            values[arguments[i][2..]] = arguments[i + 1];
        }
        return new(values, usage);
    }

    public string Text(string name, string defaultValue)
    {
        known.Add(name);
        return values.GetValueOrDefault(name, defaultValue);
    }

    public double Number(string name, double defaultValue)
    {
        var text = Text(name, defaultValue.ToString(CultureInfo.InvariantCulture));
        return double.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= 0
            ? number : throw new ArgumentException($"--{name} must be a number and not negative; it is {text}.");
    }

    public TimeSpan Seconds(string name, double defaultValue) => TimeSpan.FromSeconds(Number(name, defaultValue));

    /// <summary>Rejects options that were never read. Call it after every known option was read.</summary>
    public void RejectUnknown()
    {
        if (values.Keys.FirstOrDefault(name => !known.Contains(name)) is { } unknown)
            throw new ArgumentException($"There is no --{unknown}.{Environment.NewLine}{usage}");
    }
}
