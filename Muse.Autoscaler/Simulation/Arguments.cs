using System.Globalization;

namespace Muse.Autoscaler;

/// <summary>Pairs of <c>--name value</c>. Every complaint is an <see cref="ArgumentException"/> that says what is allowed.</summary>
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

    public string Text(string name, string otherwise)
    {
        known.Add(name);
        return values.GetValueOrDefault(name, otherwise);
    }

    public double Number(string name, double otherwise)
    {
        var text = Text(name, otherwise.ToString(CultureInfo.InvariantCulture));
        return double.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= 0
            ? number : throw new ArgumentException($"--{name} must be a number and not negative; it is {text}.");
    }

    public TimeSpan Seconds(string name, double otherwise) => TimeSpan.FromSeconds(Number(name, otherwise));

    /// <summary>To be called when everything known was asked for.</summary>
    public void RefuseUnknown()
    {
        if (values.Keys.FirstOrDefault(name => !known.Contains(name)) is { } unknown)
            throw new ArgumentException($"There is no --{unknown}.{Environment.NewLine}{usage}");
    }
}
