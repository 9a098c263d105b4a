using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace Muse.Autoscaler.Simulator;

/// <summary>
/// The command <c>simulate</c>: runs the scaling policies against a simulated load and device, and prints and draws the outcome.
/// </summary>
public static class SimulateCommand
{
    /// <summary>How to call it.</summary>
    public const string Usage = """
        simulate [--policy drain|step|both] [--trace ramp|daily|burst|onoff] [--cold-start SECONDS] [--seed NUMBER] [--out FOLDER]
                 [--target SECONDS] [--interval SECONDS] [--window SECONDS] [--tolerance SHARE] [--min WORKERS] [--max WORKERS]
                 [--step-ms MILLISECONDS] [--picture-ms MILLISECONDS] [--steps NUMBER] [--slots IMAGES]
                 [--crash-after SECONDS] [--never-ready SHARE] [--rate IMAGES-PER-SECOND]
        """;

    /// <summary>Simulates and prints. Draws where <c>--out</c> names a folder.</summary>
    /// <returns>The exit code: 0, or 2 for invalid arguments.</returns>
    public static int Run(string[] arguments, TextWriter output, TextWriter errors)
    {
        try
        {
            var options = Arguments.Parse(arguments, Usage);
            var policy = options.Text("policy", "both");
            string[] policies = policy == "both" ? [DrainPolicy.PolicyName, StepPolicy.PolicyName] : [policy];
            var records = policies.Select(name => Simulation.Run(Settings(options, name))).ToList();
            var folder = options.Text("out", "");
            options.RejectUnknown();
            Print(records, output);
            if (folder.Length > 0)
            {
                foreach (var record in records)
                    output.WriteLine($"plot: {Draw(record, folder)}");
            }

            return 0;
        }
        catch (ArgumentException e)
        {
            errors.WriteLine(e.Message);
            return 2;
        }
    }

    static SimulationSettings Settings(Arguments options, string policy)
    {
        var name = options.Text("trace", "ramp");
        var coldStart = options.Seconds("cold-start", 60);
        var defaults = new AutoscalerOptions();
        var autoscaler = new AutoscalerOptions
        {
            Policy = policy,
            MinWorkers = (int)options.Number("min", 1),
            MaxWorkers = (int)options.Number("max", 40),
            Interval = options.Seconds("interval", defaults.Interval.TotalSeconds),
            TargetWait = options.Seconds("target", defaults.TargetWait.TotalSeconds),
            StabilisationWindow = options.Seconds("window", defaults.StabilisationWindow.TotalSeconds),
            Tolerance = options.Number("tolerance", defaults.Tolerance),
            ColdStart = coldStart,
            PicturesPerSecond = options.Number("rate", 0) is > 0 and var rate ? rate : null,
            Slots = (int)options.Number("slots", 12),
        };
        List<ValidationResult> errors = [];
        if (!Validator.TryValidateObject(autoscaler, new(autoscaler), errors, validateAllProperties: true))
            throw new ArgumentException(string.Join(Environment.NewLine, errors.Select(error => error.ErrorMessage)));
        return new()
        {
            Trace = LoadTrace.Find(name)
                ?? throw new ArgumentException($"--trace must be one of {string.Join(", ", LoadTrace.Names)}; it is {name}."),
            Autoscaler = autoscaler,
            ColdStart = coldStart,
            Seed = (int)options.Number("seed", 1),
            Device = new(
                Base: options.Number("step-ms", 40) / 1000,
                PerImage: options.Number("picture-ms", 10) / 1000,
                Steps: (int)options.Number("steps", 20),
                Slots: autoscaler.Slots),
            MeanTimeToCrash = options.Number("crash-after", 0) is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : null,
            NeverReady = options.Number("never-ready", 0),
        };
    }

    static void Print(IReadOnlyList<SimulationRecord> records, TextWriter output)
    {
        var settings = records[0].Settings;
        var optimum = OptimalSchedule.Plan(settings);
        var planned = Simulation.Run(settings with { Schedule = optimum.At });
        var autoscaler = settings.Autoscaler;
        output.WriteLine(
            Invariant($"trace {settings.Trace.Name}, {settings.Trace.Length / 60:0} min, seed {settings.Seed}; ")
            + Invariant($"cold start {settings.ColdStart.TotalSeconds:0} s; {autoscaler.MinWorkers} to {autoscaler.MaxWorkers} workers; ")
            + Invariant($"target {autoscaler.TargetWait.TotalSeconds:0.#} s from request to image"));
        output.WriteLine($"{settings.Device}");
        output.WriteLine();
        output.WriteLine(
            "policy        answered     p50     p95     p99   in target   after 1st   worker-hours   of optimum   scalings   reversals");
        foreach (var record in records)
            Row(record.Settings.Autoscaler.Policy, record);
        Row("optimum", planned);
        output.WriteLine();
        output.WriteLine(
            "waits in seconds; after 1st: in target of those that came after the first scale-up was complete; "
            + "reversals: the most within a stabilisation window");

        void Row(string name, SimulationRecord record) => output.WriteLine(
            Invariant($"{name,-12}{record.Answered,10}")
            + Invariant($"{record.Percentile(0.50),8:0.0}{record.Percentile(0.95),8:0.0}{record.Percentile(0.99),8:0.0}")
            + Invariant($"{record.WithinTarget(),12:0.0%}{record.WithinTarget(record.FirstScaleUpComplete ?? 0),12:0.0%}")
            + Invariant($"{record.WorkerHours,15:0.00}{record.WorkerHours / optimum.WorkerHours,13:0%}")
            + Invariant($"{record.Scalings,11}{record.ReversalsInAWindow(),12}"));
    }

    static string Draw(SimulationRecord record, string folder)
    {
        Directory.CreateDirectory(folder);
        var settings = record.Settings;
        var path = Path.Combine(folder, $"{settings.Trace.Name}-{settings.Autoscaler.Policy}.png");
        var title = $"{settings.Autoscaler.Policy} on {settings.Trace.Name} (simulation, seed {settings.Seed}; {settings.Device})";
        ScalingPlot.Save(path, title, settings.Trace.Unit, record.Points);
        return path;
    }

    static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
