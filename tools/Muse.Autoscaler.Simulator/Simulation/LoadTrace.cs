namespace Muse.Autoscaler.Simulator;

/// <summary>The load over time.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Length">Its length, seconds.</param>
/// <param name="Closed">
/// True for a closed load: the level is a number of users, and each sends the next request as soon as the image is there.
/// False for an open load: the level is requests per second, which arrive as a Poisson process.
/// </param>
/// <param name="Level">The load at a second since the start.</param>
public sealed record LoadTrace(string Name, double Length, bool Closed, Func<double, double> Level)
{
    const double Minute = 60, Hour = 3600;

    /// <summary>The names of all traces.</summary>
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

    /// <summary>The unit of <see cref="Level"/>, for the plot.</summary>
    public string Unit => Closed ? "users" : "requests a second";

    /// <summary>
    /// 1, 60, 400 and 1,000 users, the numbers of the Lightning Muse article (2022). Between them two users join per second.
    /// </summary>
    static double Ramp(double second)
    {
        (double At, double From, double To)[] rises = [(2 * Minute, 1, 60), (8 * Minute, 60, 400), (20 * Minute, 400, 1000)];
        var (at, from, to) = rises.LastOrDefault(rise => second >= rise.At, (0, 1, 1));
        return Math.Floor(Math.Min(to, from + 2 * (second - at)));
    }
}
