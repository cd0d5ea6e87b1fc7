"""
GoodhartBench: how far each way of counting AI use can be gamed, and how far credit can.

Honest traffic is made from a seed; an attack changes it; meters are read before and after.
GG(attack) is the relative inflation of a meter over that of raw requests: 1 is as gameable as
counting calls, 0 is immune.
"""
