using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Muse.ServiceDefaults;

/// <summary>A section of a program's settings.</summary>
/// <param name="Name">Its name in the configuration, e.g. <c>Queue</c>.</param>
/// <param name="Options">The options that it is bound to.</param>
public readonly record struct SettingsSection(string Name, Type Options);

/// <summary>Something that keeps a program from starting and that its user can mend; the message says it in a sentence.</summary>
public sealed class CannotStartException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>How every Muse program starts: what stops it is said in a sentence with the setting's name and what is allowed, not with a stack.</summary>
public static partial class ProgramStart
{
    /// <summary>Builds and runs a program.</summary>
    /// <param name="program">Its name.</param>
    /// <param name="sections">Its settings.</param>
    /// <param name="run">Builds it, checks it with <see cref="CheckSettings"/>, runs it, and gives the exit code.</param>
    /// <returns>The exit code; 1 when it could not start.</returns>
    public static async Task<int> RunAsync(string program, IReadOnlyList<SettingsSection> sections, Func<Task<int>> run)
    {
        sections = [.. sections, new("Telemetry", typeof(TelemetryOptions))];
        try
        {
            return await run();
        }
        catch (Exception problem) when (Sentence(problem, sections) is { } sentence)
        {
            await Console.Error.WriteLineAsync($"{program} can't start: {sentence}");
            return 1;
        }
    }

    /// <summary>Checks all settings that are to be checked at start. Before the host does, which would log a stack.</summary>
    public static void CheckSettings(this IHost app) => app.Services.GetService<IStartupValidator>()?.Validate();

    static string? Sentence(Exception problem, IReadOnlyList<SettingsSection> sections) => problem switch
    {
        CannotStartException { Message: var message } => message,
        IOException { InnerException: AddressInUseException, Message: var message } => message,
        OptionsValidationException invalid => string.Join(' ', invalid.Failures.Select(failure => Invalid(failure, sections.FirstOrDefault(section => section.Options == invalid.OptionsType).Name))),
        AggregateException { InnerExceptions: var several } when several.All(each => each is OptionsValidationException) => string.Join(' ', several.Select(each => Sentence(each, sections))),
        InvalidOperationException { Message: var message } when Unreadable().Match(message) is { Success: true } found =>
            Unread(found.Groups["path"].Value, found.Groups["value"].Value, sections),
        _ => null,
    };

    /// <summary>What an attribute says of a property, with the setting's whole name; other checks name theirs themselves.</summary>
    static string Invalid(string failure, string? section)
    {
        if (section is null || FromAttribute().Match(failure) is not { Success: true } found)
            return failure;
        var (member, said) = (found.Groups["member"].Value, found.Groups["error"].Value);
        var path = $"{section}:{member}";
        foreach (var name in new[] { $"The field {member} ", $"The {member} field " })
        {
            if (said.StartsWith(name, StringComparison.Ordinal))
                return WithVariable($"{path} {said[name.Length..]}", path);
        }

        return WithVariable($"{path}: {said}", path);
    }

    static string Unread(string path, string value, IReadOnlyList<SettingsSection> sections) =>
        WithVariable($"{path} must be {(Property(path, sections) is { } property ? Allowed(property) : "something else")}; it is '{value}'.", path);

    /// <summary>Adds the short variable, where that is what set it.</summary>
    static string WithVariable(string sentence, string path)
    {
        var variable = MuseSettings.All.FirstOrDefault(setting => setting.Options.Contains(path, StringComparer.OrdinalIgnoreCase)).Variable;
        return variable is not null && Environment.GetEnvironmentVariable(variable) is { Length: > 0 } ? $"{sentence.TrimEnd('.')} ({variable} sets it)." : sentence;
    }

    static PropertyInfo? Property(string path, IReadOnlyList<SettingsSection> sections)
    {
        foreach (var section in sections.OrderByDescending(section => section.Name.Length))
        {
            if (!path.StartsWith(section.Name + ':', StringComparison.OrdinalIgnoreCase))
                continue;
            PropertyInfo? property = null;
            foreach (var name in path[(section.Name.Length + 1)..].Split(':'))
                property = (property?.PropertyType ?? section.Options).GetProperty(name, BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase);
            return property;
        }
        return null;
    }

    static string Allowed(PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var kind = type == typeof(TimeSpan) ? "a duration such as 00:00:30"
            : type == typeof(bool) ? "true or false"
            : type == typeof(int) || type == typeof(long) ? "a whole number"
            : type == typeof(double) || type == typeof(float) ? "a number"
            : type == typeof(Uri) ? "an address"
            : type.IsEnum ? string.Join(" or ", Enum.GetNames(type))
            : $"a {type.Name}";
        return property.GetCustomAttribute<RangeAttribute>() is { } range
            ? string.Create(CultureInfo.InvariantCulture, $"{kind}, from {range.Minimum} to {range.Maximum}")
            : kind;
    }

    [GeneratedRegex("members: '(?<member>[^']+)' with the error: '(?<error>.*)'\\.$", RegexOptions.Singleline)]
    private static partial Regex FromAttribute();

    [GeneratedRegex("^Failed to convert configuration value '(?<value>.*)' at '(?<path>[^']+)' to type", RegexOptions.Singleline)]
    private static partial Regex Unreadable();
}
