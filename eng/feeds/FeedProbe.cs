using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>Restores one small project a question and writes the answers to feeds.g.props. Never fails the build.</summary>
/// <remarks>
/// "No" is written down only where a feed answered that it has no such package (NU1100 to NU1103). Where the feeds could not
/// be asked (no network, a time-out, a refused login), this build does without and the next restore asks again.
/// Compiled by MSBuild when it is needed, hence plain C# for .NET Standard 2.0.
/// </remarks>
public sealed class FeedProbe : Task
{
    static readonly TimeSpan LongestDownload = TimeSpan.FromMinutes(15);

    [Required] public string Folder { get; set; }
    public string DotNet { get; set; }
    public bool AskForAspire { get; set; }
    public string AspireVersion { get; set; }
    public bool AskForOnnxRuntimeGpu { get; set; }
    public string OnnxRuntimeVersion { get; set; }

    string AnswerFile => Path.Combine(Folder, "feeds.g.props");

    public override bool Execute()
    {
        try
        {
            using (Lock())
            {
                var known = File.Exists(AnswerFile) ? File.ReadAllText(AnswerFile) : "";
                var aspire = Answer(known, "Aspire", AspireVersion, AskForAspire);
                var gpu = Answer(known, "OnnxRuntimeGpu", OnnxRuntimeVersion, AskForOnnxRuntimeGpu);
                Write(known, aspire + gpu);
            }
        }
        catch (Exception failure)
        {
            Log.LogMessage(MessageImportance.High, "The feeds could not be asked (" + failure.Message + "): building with the stand-ins.");
        }
        return true;
    }

    /// <summary>Held while asking, so that projects restored side by side ask once. The system lets go of it if this process dies.</summary>
    FileStream Lock()
    {
        var folder = Directory.CreateDirectory(Path.Combine(Folder, ".probe")).FullName;
        var patience = Stopwatch.StartNew();
        while (true)
        {
            try { return new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None); }
            catch (IOException) when (patience.Elapsed < LongestDownload) { Thread.Sleep(100); }
        }
    }

    string Answer(string known, string name, string version, bool ask)
    {
        var earlier = Regex.Match(known, @"[^\n]*<" + name + @"AskedFor>([^<]*)</[^\n]*\n[^\n]*\n");
        if (earlier.Success && (!ask || earlier.Groups[1].Value == version))
            return earlier.Value;
        if (!ask)
            return "";
        string why;
        var available = Ask(name, version, out why);
        Log.LogMessage(MessageImportance.High, why);
        if (available == null)
            return "";
        return "    <" + name + "AskedFor>" + version + "</" + name + "AskedFor>\n"
            + "    <" + name + "Available Condition=\"'$(" + name + "Available)' == ''\">" + (available == true ? "true" : "false") + "</" + name + "Available>\n";
    }

    bool? Ask(string name, string version, out string why)
    {
        var project = Path.Combine(Folder, "probes", name + ".csproj");
        var start = new ProcessStartInfo(string.IsNullOrEmpty(DotNet) ? "dotnet" : DotNet,
            "restore \"" + project + "\" -p:ProbeVersion=" + version + " -nodeReuse:false -v:quiet -tl:off")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Folder,
        };
        start.EnvironmentVariables["NUGET_ENHANCED_MAX_NETWORK_TRY_COUNT"] = "2";
        start.EnvironmentVariables["DOTNET_CLI_UI_LANGUAGE"] = "en";
        Log.LogMessage(MessageImportance.High, "Asking the package feeds for " + name + " " + version + " (once; see eng/feeds/README.md) ...");
        using (var restore = Process.Start(start))
        {
            restore.ErrorDataReceived += (_, line) => { };
            restore.BeginErrorReadLine();
            var output = restore.StandardOutput.ReadToEndAsync();
            if (!restore.WaitForExit((int)LongestDownload.TotalMilliseconds))
            {
                restore.Kill();
                why = name + " " + version + " took longer than " + LongestDownload.TotalMinutes + " minutes to restore: building without, and asking again at the next restore.";
                return null;
            }
            if (restore.ExitCode == 0)
            {
                why = name + " " + version + ": on the feeds, used.";
                return true;
            }
            if (Regex.IsMatch(output.Result, "NU110[0-3]") && !output.Result.Contains("NU1301"))
            {
                why = name + " " + version + ": not on the feeds, building without.";
                return false;
            }
            var reason = output.Result.Split('\n').FirstOrDefault(line => line.Contains("error")) ?? "exit code " + restore.ExitCode;
            why = name + " " + version + ": the feeds could not be asked, building without, and asking again at the next restore. " + reason.Trim();
            return null;
        }
    }

    /// <summary>Whole or not at all, and only when something changed: a newer file would make every project compile again.</summary>
    /// <remarks>Without an answer there is no file: MSBuild keeps what it has read of one, and would not see the answer in the restore that gets it.</remarks>
    void Write(string known, string answers)
    {
        var text = "<!-- Written by the feed probe. Delete it to ask again. -->\n<Project>\n  <PropertyGroup>\n" + answers + "  </PropertyGroup>\n</Project>\n";
        if (text == known || answers == "" && known == "")
            return;
        if (answers == "")
        {
            File.Delete(AnswerFile);
            return;
        }
        var draft = Path.Combine(Folder, ".probe", "feeds.g.props");
        File.WriteAllText(draft, text);
        if (File.Exists(AnswerFile)) File.Replace(draft, AnswerFile, null);
        else File.Move(draft, AnswerFile);
    }
}
