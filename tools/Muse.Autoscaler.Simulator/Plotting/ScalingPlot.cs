using ScottPlot;

namespace Muse.Autoscaler.Simulator;

/// <summary>Draws load, queue and workers over time in three panels.</summary>
public static class ScalingPlot
{
    // The Linux build of SkiaSharp without dependencies does not search for fonts.
    static readonly string[] FontFolders =
    [
        "/usr/share/fonts",
        "/usr/local/share/fonts",
        Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".fonts"),
    ];
    static readonly string[] FontFiles = ["DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf", "Lato-Regular.ttf"];

    const int Width = 1000, PanelHeight = 220;

    /// <summary>Draws a PNG.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="title">The title. It says so where the device is simulated.</param>
    /// <param name="level">The unit of the upper panel.</param>
    /// <param name="points">In order of time.</param>
    public static void Save(string path, string title, string level, IReadOnlyList<PlotPoint> points)
    {
        if (OperatingSystem.IsLinux())
            UseFont();
        double[] minutes = [.. points.Select(point => point.Second / 60)];
        var panels = new Multiplot();
        panels.AddPlots(3);
        var (load, queue, workers) = (panels.GetPlot(0), panels.GetPlot(1), panels.GetPlot(2));

        Line(load, minutes, points.Select(point => point.Level), level, Colors.SteelBlue);
        Line(queue, minutes, points.Select(point => (double)point.Queue), "images waiting and in progress", Colors.DarkOrange);
        Line(workers, minutes, points.Select(point => (double)point.Wanted), "workers wanted", Colors.Black, steps: true);
        if (points.Any(point => point.Ready >= 0))
            Line(workers, minutes, points.Select(point => (double)point.Ready), "workers ready", Colors.SeaGreen, steps: true);
        load.Title(title, size: 13);
        workers.XLabel("minutes", size: 12);
        foreach (var panel in (Plot[])[load, queue, workers])
        {
            panel.ShowLegend(Alignment.UpperLeft);
            panel.Axes.AutoScale();
            // The same width for all three, so that their time axes align.
            panel.Axes.Left.MinimumSize = panel.Axes.Left.MaximumSize = 55;
            panel.Axes.SetLimitsX(minutes.FirstOrDefault(), Math.Max(minutes.LastOrDefault(), minutes.FirstOrDefault() + 0.1));
            panel.Axes.SetLimitsY(0, Math.Max(1, panel.Axes.GetLimits().Top * 1.15));
        }
        panels.SharedAxes.ShareX([load, queue, workers]);
        panels.SavePng(path, Width, 3 * PanelHeight);
    }

    static void UseFont()
    {
        var found = FontFolders.Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*.ttf", SearchOption.AllDirectories))
            .Where(file => FontFiles.Contains(Path.GetFileName(file)))
            .MinBy(file => Array.IndexOf(FontFiles, Path.GetFileName(file)))
            ?? throw new InvalidOperationException(
                $"A plot needs one of the fonts {string.Join(", ", FontFiles)}, for example from the package fonts-dejavu-core.");
        // ScottPlot asks for titles in bold.
        Fonts.AddFontFile("Muse", found, bold: false, italic: false);
        Fonts.AddFontFile("Muse", found, bold: true, italic: false);
        Fonts.Default = "Muse";
    }

    static void Line(Plot plot, double[] minutes, IEnumerable<double> values, string label, Color color, bool steps = false)
    {
        var line = plot.Add.ScatterLine(minutes, [.. values], color);
        line.LegendText = label;
        line.LineWidth = 1.5f;
        if (steps)
            line.ConnectStyle = ConnectStyle.StepHorizontal;
    }
}
