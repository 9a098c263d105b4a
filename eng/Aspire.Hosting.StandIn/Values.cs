using System.Runtime.CompilerServices;
using System.Text;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A value that is known once the application runs.</summary>
public interface IValueProvider
{
    /// <summary>The value; waits until it is known.</summary>
    ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default);
}

/// <summary>A value that a published manifest names by an expression.</summary>
public interface IManifestExpressionProvider
{
    /// <summary>The expression.</summary>
    string ValueExpression { get; }
}

/// <summary>A text with values in it that are known once the application runs.</summary>
public class ReferenceExpression : IValueProvider, IManifestExpressionProvider
{
    readonly IReadOnlyList<object> parts;

    ReferenceExpression(IReadOnlyList<object> parts) => this.parts = parts;

    internal IEnumerable<IValueProvider> ValueProviders => parts.OfType<IValueProvider>();

    /// <summary>From an interpolated string.</summary>
    public static ReferenceExpression Create(in ExpressionInterpolatedStringHandler handler) => new(handler.Parts);

    /// <inheritdoc/>
    public string ValueExpression => string.Concat(parts.Select(part => part is IManifestExpressionProvider value ? value.ValueExpression : part));

    /// <inheritdoc/>
    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        foreach (var part in parts)
            text.Append(part is IValueProvider value ? await value.GetValueAsync(cancellationToken) : part);
        return text.ToString();
    }

    /// <summary>Collects the parts of an interpolated string.</summary>
    [InterpolatedStringHandler]
    public ref struct ExpressionInterpolatedStringHandler
    {
        internal List<object> Parts { get; }

        /// <summary>Called by the compiler.</summary>
        public ExpressionInterpolatedStringHandler(int literalLength, int formattedCount) => Parts = new(formattedCount * 2 + 1);

        /// <summary>Adds a literal.</summary>
        public readonly void AppendLiteral(string value) => Parts.Add(value);

        /// <summary>Adds a text known now.</summary>
        public readonly void AppendFormatted(string? value) => Parts.Add(value ?? "");

        /// <summary>Adds a value known later.</summary>
        public readonly void AppendFormatted<T>(T valueProvider) where T : IValueProvider, IManifestExpressionProvider => Parts.Add(valueProvider);
    }
}

/// <summary>A property of an endpoint.</summary>
public enum EndpointProperty
{
    /// <summary>The whole address.</summary>
    Url = 0,
    /// <summary>The host's name.</summary>
    Host = 1,
    /// <summary>The host's IPv4 address.</summary>
    IPV4Host = 2,
    /// <summary>The port that others use.</summary>
    Port = 3,
    /// <summary>The scheme.</summary>
    Scheme = 4,
    /// <summary>The port that the process listens on.</summary>
    TargetPort = 5,
    /// <summary>Host and port.</summary>
    HostAndPort = 6,
}

/// <summary>A reference to where a resource listens.</summary>
public sealed class EndpointReference : IValueProvider, IManifestExpressionProvider
{
    readonly Endpoint endpoint;

    /// <summary>Refers to the endpoint of that name.</summary>
    public EndpointReference(IResourceWithEndpoints owner, string endpointName) => (Resource, endpoint) = (owner, ((Resource)owner).Endpoint(endpointName));

    /// <summary>Who listens.</summary>
    public IResourceWithEndpoints Resource { get; }

    /// <summary>The endpoint's name.</summary>
    public string EndpointName => endpoint.Name;

    /// <summary>One property of it.</summary>
    public EndpointReferenceExpression Property(EndpointProperty property) => new(this, property);

    /// <inheritdoc/>
    public string ValueExpression => Property(EndpointProperty.Url).ValueExpression;

    /// <inheritdoc/>
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => GetValueAsync(EndpointProperty.Url, cancellationToken);

    internal async ValueTask<string?> GetValueAsync(EndpointProperty property, CancellationToken cancellationToken)
    {
        var port = await endpoint.Allocated.Task.WaitAsync(cancellationToken);
        return property switch
        {
            EndpointProperty.Url => $"{endpoint.Scheme}://localhost:{port}",
            EndpointProperty.Host => "localhost",
            EndpointProperty.IPV4Host => "127.0.0.1",
            EndpointProperty.Port => $"{port}",
            EndpointProperty.Scheme => endpoint.Scheme,
            EndpointProperty.TargetPort => $"{endpoint.TargetPort ?? port}",
            EndpointProperty.HostAndPort => $"localhost:{port}",
            _ => throw new ArgumentOutOfRangeException(nameof(property), property, null),
        };
    }
}

/// <summary>A reference to one property of an endpoint.</summary>
public class EndpointReferenceExpression(EndpointReference endpointReference, EndpointProperty property) : IValueProvider, IManifestExpressionProvider
{
    /// <summary>The endpoint.</summary>
    public EndpointReference Endpoint { get; } = endpointReference;
    /// <summary>The property.</summary>
    public EndpointProperty Property { get; } = property;

    /// <inheritdoc/>
    public string ValueExpression => $"{{{Endpoint.Resource.Name}.bindings.{Property}}}";

    /// <inheritdoc/>
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => Endpoint.GetValueAsync(Property, cancellationToken);
}

/// <summary>Where a resource listens. There is no proxy: processes listen on the port that others use.</summary>
sealed record Endpoint(string Name, string Scheme, int? Port, int? TargetPort, string? Variable)
{
    public TaskCompletionSource<int> Allocated { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}
