"""What clients ask for, and what they are answered: subscriptions, positions, missed frames.

Read in this order: requests.py (each request, in the order of its steps), positions.py (where a
client is in each channel).
"""
