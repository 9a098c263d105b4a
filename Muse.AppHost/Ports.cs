using System.Net;
using System.Net.Sockets;
using Muse.ServiceDefaults;

namespace Muse.AppHost;

/// <summary>TCP ports of this machine.</summary>
static class Ports
{
    /// <summary>A port that no process listens on now.</summary>
    /// <remarks>
    /// It is below those that operating systems give to outgoing connections, so that none takes it before the program that it is for.
    /// </remarks>
    public static int FindFree()
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, Random.Shared.Next(10_000, 32_000));
            try
            {
                listener.Start();
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            }
            catch (SocketException taken)
                when (taken.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
            {
                // Taken, or reserved by the system: another one.
            }
        }
    }

    /// <summary>Checks that a port can be listened on.</summary>
    /// <param name="port">The port.</param>
    /// <param name="setting">The setting that names another one.</param>
    /// <exception cref="CannotStartException">Another program listens on it.</exception>
    public static void EnsureFree(int port, string setting)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
        }
        catch (SocketException)
        {
            throw new CannotStartException($"Port {port} is in use. End the program that uses it, or set {setting} to another port.");
        }
    }
}
