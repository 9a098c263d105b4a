namespace Muse.Autoscaler;

/// <summary>Who asks for pictures over time.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Length">Seconds.</param>
/// <param name="Closed">Whether the level counts users, each of whom asks again as soon as the picture is there; else it is requests a second, arriving as a Poisson process.</param>
/// <param name="Level">The level at a second.</param>
public sealed record LoadTrace(string Name, double Length, bool Closed, Func<double, double> Level)
{
    const double Minute = 60, Hour = 3600;

    /// <summary>The traces there are.</summary>
    public static IReadOnlyList<string> Names { get; } = ["ramp", "daily", "burst", "onoff"];

    /// <summary>The trace of that name, or null.</summary>
    public static LoadTrace? Find(string name) => name switch
    {
        "ramp" => new(name, 45 * Minute, Closed: true, Ramp),
        "daily" => new(name, 24 * Hour, Closed: false, second => 6 - 5.5 * Math.Cos(second / (24 * Hour) * Math.Tau)),
        "burst" => new(name, 30 * Minute, Closed: false, second => second is >= 10 * Minute and < 12 * Minute ? 20 : 1),
        "onoff" => new(name, 60 * Minute, Closed: false, second => second % (20 * Minute) < 10 * Minute ? 10 : 0),
        _ => null,
    };

    /// <summary>What the axis says.</summary>
    public string Unit => Closed ? "users" : "requests a second";

    /// <summary>The blog's 1, 60, 400, 1,000 users: two users come every second, and each number stays for a while.</summary>
    static double Ramp(double second)
    {
        (double At, double From, double To)[] rises = [(2 * Minute, 1, 60), (8 * Minute, 60, 400), (20 * Minute, 400, 1000)];
        var (at, from, to) = rises.LastOrDefault(rise => second >= rise.At, (0, 1, 1));
        return Math.Floor(Math.Min(to, from + 2 * (second - at)));
    }
}
